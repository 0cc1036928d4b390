//! What goes wrong in scripts, and that each is told for what it is.
use crate::harness::{Call, Items, LIMITS, range, run_input};
use runtime::{Limits, RunOutcome};
use serde_json::json;

/// The failed item and the first line about it.
fn first_line(text: &str, items: Items<'_>) -> (Option<u64>, String) {
    let (item, words) = Call::of(text).failure(items);
    (item, words.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn what_a_function_throws_is_told_with_its_item() {
    let cases = [
        ("throw new Error('no')", "Error: no"),
        ("throw 'no'", "threw \"no\" (throw an Error to see where)"),
        (
            "throw {code: 7}",
            "threw {\"code\":7} (throw an Error to see where)",
        ),
        ("null.x", "TypeError: cannot read property 'x' of null"),
        ("return Promise.reject(new RangeError('far'))", "RangeError: far"),
        (
            "return 1n",
            "the task returned a BigInt, which JSON cannot hold: return it as text, with String(value)",
        ),
        (
            "return () => 1",
            "the task returned a function, which JSON cannot hold: return what it computes",
        ),
        (
            "setTimeout(() => {}, 1)",
            "ReferenceError: setTimeout is not defined",
        ),
        (
            "const a = []; a[0] = a; return a",
            "TypeError: circular reference",
        ),
        (
            "return new Promise(() => {})",
            "the promise of item 1 never settles: nothing is left that could settle it",
        ),
    ];
    for (body, told) in cases {
        let text = format!("export default x => {{ if (x === 1) {{ {body} }} return x }}");
        assert_eq!(
            first_line(&text, range(0, 3)),
            (Some(1), told.to_owned()),
            "{body}"
        );
    }
}

#[test]
fn a_module_that_cannot_be_loaded_fails_without_an_item() {
    let (item, told) = first_line("throw new Error('at once'); export default x => x", range(0, 1));
    assert_eq!((item, told.as_str()), (None, "Error: at once"));
    let (_, told) = first_line("await new Promise(() => {}); export default x => x", range(0, 1));
    assert!(
        told.starts_with("the module awaits a promise at its top level that never settles"),
        "{told}"
    );
    let call = Call {
        entry: "nosuch",
        ..Call::of("export const a = x => x; export function b() {}")
    };
    let (item, told) = call.failure(range(0, 1));
    assert_eq!(
        (item, told.as_str()),
        (None, "task.js has no export 'nosuch'; it exports 'a', 'b'")
    );
    let call = Call {
        entry: "a",
        ..Call::of("export const a = JSON.parse('1'); export function b() {}")
    };
    assert_eq!(
        call.failure(range(0, 1)).1,
        "task.js exports no function 'a'; it exports 'b'"
    );
}

#[test]
fn items_that_javascript_cannot_hold_are_refused() {
    let (item, told) = first_line("export default x => x", range((1 << 53) - 1, 3));
    assert_eq!(item, Some(2), "{told}");
    assert!(told.contains("2^53"), "{told}");
    let whole = Call::of("export default x => x").outputs(range((1 << 53) - 1, 2));
    assert_eq!(whole, ["9007199254740991", "9007199254740992"]);
}

#[test]
fn an_endless_loop_runs_out_of_time() {
    let limits = Limits {
        time_ms: 200,
        ..LIMITS
    };
    for body in [
        "for (;;);",
        "/(a+)+$/.test('a'.repeat(32) + 'b')",
        "return (async () => { for (;;) await null })()",
    ] {
        let text = format!("export default () => {{ {body} }}");
        let input = Call::of(&text).input(range(0, 1));
        assert_eq!(run_input(input, &limits).outcome, RunOutcome::OutOfTime, "{body}");
    }
}

#[test]
fn memory_and_output_without_end_are_told_as_such() {
    let grows =
        "export default () => { const all = []; for (;;) all.push(new Array(1000).fill(all.length)) }";
    assert_eq!(Call::of(grows).run(range(0, 1)).outcome, RunOutcome::OutOfMemory);
    // 10 GiB of output over all items: the limit ends it in its first MiB.
    let writes = "const piece = 'x'.repeat(100_000); export default () => piece";
    let report = Call::of(writes).run(range(0, 100_000));
    assert_eq!(report.outcome, RunOutcome::OutputTooLarge);
    assert!(report.memory_bytes_peak < 8 << 20, "{}", report.memory_bytes_peak);
    // Memory that is given up in time is no failure.
    let recovers = "export default () => { try { const all = []; for (;;) all.push(new Uint8Array(1 << 20)) } \
                    catch (error) { return error.message } }";
    assert_eq!(Call::of(recovers).outputs(range(0, 1)), ["\"out of memory\""]);
}

#[test]
fn what_is_logged_is_kept_up_to_the_limit() {
    let text =
        "export default x => { console.log('item', x, {a: [x]}); console.error(new Error('e').message); }";
    let report = Call::of(text).run(range(7, 1));
    assert_eq!(
        String::from_utf8_lossy(&report.log),
        "item 7 {\"a\":[7]}\nerror: e\n"
    );
    let floods = "export default x => { for (let i = 0; i < 1e5; i++) console.log('x'.repeat(100)) }";
    assert_eq!(Call::of(floods).run(range(0, 1)).log.len(), LIMITS.log_bytes);
}

#[test]
fn the_engine_without_a_script_says_what_is_missing() {
    for params in ["", "1", "{}", "{\"source\":1}"] {
        let input = kernel_abi::encode_range(params.as_bytes(), 0, 1, 1);
        let RunOutcome::Failed { item: None, message } = run_input(input, &LIMITS).outcome else {
            panic!("{params}")
        };
        assert!(message.contains("must hold \"source\""), "{message}");
    }
    let mut input = Call::of("export default x => x").input(Items::Json(&[json!("abc")]));
    input.truncate(input.len() - 2);
    let RunOutcome::Failed { message, .. } = run_input(input, &LIMITS).outcome else {
        panic!("it fails")
    };
    assert_eq!(message, "the shard's input ends early");
}
