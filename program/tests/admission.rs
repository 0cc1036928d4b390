//! Each way to be refused, and the modules that are let through, as text modules.
use program::{Admitted, Cause, Refusal, admit, limits};
use protocol::description::{FieldKind, OutputKind, ProgramKind};

/// A module that passes, with `more` added.
fn module(more: &str) -> String {
    format!(r#"(module {more} (memory (export "memory") 1 16) (func (export "run")))"#)
}

fn admit_text(text: &str) -> Result<Admitted, Refusal> {
    admit(wat::parse_str(text).expect("the test's module is well-formed text"))
}

fn refused(text: &str) -> Refusal {
    admit_text(text).expect_err("refused")
}

#[test]
fn a_plain_module_passes_and_is_named_by_its_bytes() {
    let admitted = admit_text(&module("")).unwrap();
    assert_eq!(admitted.hash, protocol::ids::ProgramHash::of(&admitted.bytes));
    let [entry] = &admitted.description.entries[..] else {
        panic!("one entry")
    };
    assert_eq!(entry.name, "run");
    assert_eq!(entry.params, None, "nothing is said, so anything goes");
}

#[test]
fn all_four_imports_and_what_toolchains_emit_pass() {
    let imports = r#"
        (import "elytra" "input_len" (func (result i32)))
        (import "elytra" "input_read" (func (param i32 i32 i32)))
        (import "elytra" "output_write" (func (param i32 i32)))
        (import "elytra" "log" (func (param i32 i32)))
        (table 4 funcref)
        (global (export "__heap_base") i32 (i32.const 1024))
        (func (export "__helper"))
        (func (export "takes_a_number") (param i32))
        (func (result v128) (i32x4.splat (i32.trunc_sat_f64_s (f64.const 1))))
        (func (param i32) (memory.fill (i32.const 0) (i32.const 0) (i32.extend8_s (local.get 0))))"#;
    let admitted = admit_text(&module(imports)).unwrap();
    let names: Vec<_> = admitted
        .description
        .entries
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(names, ["run"]);
}

#[test]
fn features_that_engines_do_not_share_are_refused() {
    let cases = [
        ("threads", r#"(func (drop (i32.atomic.load (i32.const 0))))"#),
        (
            "relaxed SIMD",
            "(func (param v128) (result v128) (f32x4.relaxed_min (local.get 0) (local.get 0)))",
        ),
        ("multi-memory", "(memory 1 1)"),
        ("GC", "(type (struct (field i32)))"),
        ("externref", "(table 1 externref)"),
        ("exceptions", "(tag)"),
        ("tail calls", "(func $f (return_call $f))"),
    ];
    for (what, more) in cases {
        let refusal = refused(&module(more));
        assert!(
            matches!(refusal.cause, Cause::Feature { .. }),
            "{what}: {refusal}"
        );
        assert!(refusal.place.is_some(), "{what}: {refusal}");
    }
    let memory64 = refused(r#"(module (memory (export "memory") i64 1 16) (func (export "run")))"#);
    assert!(matches!(memory64.cause, Cause::Feature { .. }), "{memory64}");
}

#[test]
fn imports_from_elsewhere_and_of_another_type_are_refused() {
    let host = refused(&module(
        r#"(import "env" "abort" (func (param i32 i32 i32 i32)))"#,
    ));
    assert!(
        host.to_string().contains("'env'.'abort': compile AssemblyScript"),
        "{host}"
    );
    let unknown = refused(&module(r#"(import "elytra" "random" (func))"#));
    assert!(matches!(unknown.cause, Cause::UnknownImport { .. }), "{unknown}");
    let typed = refused(&module(r#"(import "elytra" "log" (func (param i64 i32)))"#));
    assert!(
        matches!(typed.cause, Cause::ImportType { name: "log", .. }),
        "{typed}"
    );
    let global = refused(&module(r#"(import "elytra" "log" (global i32))"#));
    assert!(matches!(global.cause, Cause::ImportType { .. }), "{global}");
}

#[test]
fn memory_must_be_there_and_bounded() {
    let none = refused(r#"(module (func (export "run")))"#);
    assert_eq!(none.cause, Cause::NoMemory);
    let hidden = refused(r#"(module (memory 1 1) (func (export "run")))"#);
    assert_eq!(hidden.cause, Cause::NoMemory);
    let large = refused(r#"(module (memory (export "memory") 16385) (func (export "run")))"#);
    assert!(matches!(large.cause, Cause::MemoryTooLarge { .. }), "{large}");
    for declared in ["1", "1 65536", "1 16384"] {
        let text = format!(r#"(module (memory (export "memory") {declared}) (func (export "run")))"#);
        assert_eq!(
            memory_of(&admit_text(&text).unwrap()),
            (1, Some(16_384)),
            "{declared}"
        );
    }
}

fn memory_of(admitted: &Admitted) -> (u64, Option<u64>) {
    let payloads = wasmparser::Parser::new(0).parse_all(&admitted.bytes);
    let memory = payloads.map(Result::unwrap).find_map(|payload| match payload {
        wasmparser::Payload::MemorySection(section) => section.into_iter().next(),
        _ => None,
    });
    let memory = memory.unwrap().unwrap();
    (memory.initial, memory.maximum)
}

/// A WASI program with `more` added.
fn command(more: &str) -> String {
    format!(r#"(module {more} (memory (export "memory") 1) (func (export "_start")))"#)
}

#[test]
fn every_function_of_wasi_can_be_imported_and_only_with_its_type() {
    let letters = |letters: &str| letters.replace('i', " i32").replace('I', " i64");
    let import = |(name, parameters, results): (&str, &str, &str)| {
        let (parameters, results) = (letters(parameters), letters(results));
        format!("(import \"wasi_snapshot_preview1\" {name:?} (func (param{parameters}) (result{results})))")
    };
    let all: String = program::WASI.into_iter().map(import).collect();
    let admitted = admit_text(&command(&all)).unwrap().description;
    assert_eq!(admitted.kind, ProgramKind::Command);
    let [main] = &admitted.entries[..] else {
        panic!("one entry")
    };
    assert_eq!((main.name.as_str(), main.output), ("main", OutputKind::Bytes));
    let params = main.check_params(&serde_json::json!({"args": ["-n"]})).unwrap();
    let complete = serde_json::json!({"args": ["-n"], "env": {}, "files": {}, "each": false, "seed": 0});
    assert_eq!(params, complete);
    for (name, parameters, results) in program::WASI {
        let wrong = refused(&command(&import((name, &format!("{parameters}I"), results))));
        assert!(matches!(wrong.cause, Cause::ImportType { .. }), "{wrong}");
    }
    let unknown = refused(&command(r#"(import "wasi_snapshot_preview1" "fd_fork" (func))"#));
    assert!(unknown.to_string().contains("no function of WASI"), "{unknown}");
}

#[test]
fn a_command_has_a_main_function_and_stays_on_its_side() {
    assert_eq!(
        admit_text(&command("")).unwrap().description.kind,
        ProgramKind::Command
    );
    let wasi = r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#;
    assert_eq!(refused(&module(wasi)).cause, Cause::NoStart);
    let reactor = refused(&module(&format!(r#"{wasi} (func (export "_initialize"))"#)));
    assert_eq!(reactor.cause, Cause::Reactor);
    let both = refused(&command(&format!(
        r#"{wasi} (import "elytra" "input_len" (func (result i32)))"#
    )));
    assert_eq!(both.cause, Cause::MixedImports);
}

#[test]
fn there_is_an_entry_and_a_start_function_waits_for_it() {
    let without = refused(r#"(module (memory (export "memory") 1 1) (func (export "run") (param i32)))"#);
    assert_eq!(without.cause, Cause::NoEntry);
    let begins = admit_text(&module("(func $s) (start $s)")).unwrap();
    let mut sections = wasmparser::Parser::new(0).parse_all(&begins.bytes);
    let starts = sections.any(|section| matches!(section, Ok(wasmparser::Payload::StartSection { .. })));
    assert!(!starts, "it runs when the entry is called");
}

/// `open` repeated `depth` times around nothing.
fn nested(open: &str, depth: u32) -> String {
    let depth = depth as usize;
    format!("(func $deep {} {})", open.repeat(depth), "end ".repeat(depth))
}

#[test]
fn compile_bombs_are_refused_and_the_function_is_named() {
    let over = |text: String, what: &str| {
        let refusal = refused(&module(&text));
        assert!(matches!(refusal.cause, Cause::OverLimit { .. }), "{refusal}");
        assert!(refusal.to_string().contains(what), "{refusal}");
        refusal
    };
    let loops = over(
        nested("loop ", limits::LOOP_NEST_MAX + 1),
        "loops inside each other",
    );
    assert!(
        loops.to_string().starts_with("in function 0 'deep', at byte 0x"),
        "{loops}"
    );
    admit_text(&module(&nested("loop ", limits::LOOP_NEST_MAX))).unwrap();
    over(
        nested("block ", limits::BLOCK_NEST_MAX + 1),
        "blocks inside each other",
    );
    let locals = format!("(func {})", "(local i32)".repeat(2_001));
    over(locals, "locals of one function");
    let body = format!("(func {})", "i32.const 1234567 drop ".repeat(30_000));
    over(body, "bytes in one function");
    let targets = format!("(func (block (br_table {} (i32.const 0))))", "0 ".repeat(4_098));
    over(targets, "targets of one branch table");
    over("(func)".repeat(20_000), "functions");
    over("(table 20001 funcref)".into(), "table elements");
    over("(table 1 funcref)(table 1 funcref)".into(), "tables");
}

#[test]
fn what_is_no_module_is_refused() {
    let refusal = admit(b"#!/bin/sh".to_vec()).unwrap_err();
    assert!(matches!(refusal.cause, Cause::Invalid { .. }), "{refusal}");
    let long = admit(vec![0; limits::MODULE_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(long.cause, Cause::ModuleTooLong { .. }), "{long}");
    let whole = wat::parse_str(module("")).unwrap();
    for end in 0..whole.len() {
        assert!(admit(whole[..end].to_vec()).is_err(), "cut at {end}");
    }
}

/// A module whose description section holds `lines`.
fn described(lines: &str) -> String {
    module(&format!("(@custom \"elytra.description\" {lines:?})"))
}

#[test]
fn the_description_is_read_line_by_line() {
    let line = r#"{"program":{"name":"p","version":"1"},"name":"run","title":"Run","item":{"type":"integer","min":2},
        "params":[{"name":"n","type":"integer","default":3}],"output":"bytes","picture":"tiles"}"#;
    let admitted = admit_text(&described(&format!("{}\n\n", line.replace('\n', "")))).unwrap();
    let description = admitted.description;
    assert_eq!(
        (description.name.as_str(), description.version.as_str()),
        ("p", "1")
    );
    let entry = &description.entries[0];
    assert_eq!(entry.item.as_ref().unwrap().kind, FieldKind::Integer);
    assert_eq!(entry.output, OutputKind::Bytes);
    assert_eq!(
        entry.check_params(&serde_json::json!({})).unwrap(),
        serde_json::json!({"n": 3})
    );
}

#[test]
fn a_description_that_does_not_fit_is_refused() {
    let unread = refused(&described("{\"name\":\"run\"}\n{\"name\":"));
    assert!(
        matches!(unread.cause, Cause::Description { line: 2, .. }),
        "{unread}"
    );
    let other = refused(&described("{\"name\":\"runn\"}"));
    assert!(
        other
            .to_string()
            .contains("'runn', but the module exports only: run"),
        "{other}"
    );
    let twice = refused(&described("{\"name\":\"run\"}\n{\"name\":\"run\"}"));
    assert!(twice.to_string().contains("twice"), "{twice}");
}
