//! Scripts: what becomes a program, what is refused and with which words, and the way back to the author's line.
use program::script::{Script, ScriptError, build, open};
use program::{Cause, admit};
use protocol::description::ProgramKind;
use serde_json::json;

fn built(file: &str, text: &str) -> Script {
    open(&build(file, text).expect("the script is built")).expect("what is built can be opened")
}

fn refused(file: &str, text: &str) -> String {
    build(file, text).expect_err("refused").to_string()
}

const TYPED: &str = r"
enum Color { Red = 1, Green }
interface Item { readonly n: number }
/** Doubles a number.
 * @param item it
 */
export function double<T extends Item>(item: T, params: { by?: number } = {}): number {
  return item.n * (params.by ?? Color.Green);
}
export const helper = (x: number): x is 1 => x === 1;
export const LIMIT: number = 3;
export type { Item };
export default async function (item: Item) { return double(item) satisfies number; }
";

#[test]
fn typescript_becomes_a_script_whose_functions_are_entries() {
    let admitted = admit(build("src/double.ts", TYPED).unwrap()).unwrap();
    assert_eq!(admitted.description.kind, ProgramKind::Script);
    assert_eq!(admitted.description.name, "double");
    let entries = &admitted.description.entries;
    let mut names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["default", "double", "helper"]);
    let double = entries.iter().find(|entry| entry.name == "double").unwrap();
    assert_eq!(double.about, "Doubles a number.");
    let source = built("src/double.ts", TYPED).source;
    assert!(
        !source.contains("interface") && source.contains("Color"),
        "{source}"
    );
}

#[test]
fn admitting_a_container_again_changes_nothing() {
    let container = build("double.ts", TYPED).unwrap();
    let once = admit(container.clone()).unwrap();
    assert_eq!(once.bytes, container);
    assert_eq!(admit(once.bytes).unwrap().hash, once.hash);
}

#[test]
fn a_syntax_error_names_the_place_and_shows_the_line() {
    let told = refused("task.ts", "export default (x: number) => {\n  let y = ;\n}");
    assert_eq!(
        told,
        "task.ts:2:11: Unexpected token\n  2 |   let y = ;\n    |           ^"
    );
    let told = refused("task.js", "export default x => 1;\nexport default x => 2;");
    assert!(told.contains("multiple default exports"), "{told}");
    let told = refused("task.js", "let a = 1;\nlet a = 2; export function f() {}");
    assert!(told.contains("task.js:"), "{told}");
    let told = refused("task.js", "export const f = (x: number) => x;");
    assert!(told.starts_with("task.js:1:"), "types in JavaScript: {told}");
}

#[test]
fn imports_are_refused_by_name_and_types_are_not() {
    let told = refused(
        "task.ts",
        "import { x } from 'lodash';\nexport const f = () => x;",
    );
    assert!(told.starts_with("task.ts:1:19: import of 'lodash'"), "{told}");
    assert!(told.contains("bundle"), "{told}");
    for text in [
        "export default () => import('./a.js')",
        "export * from './a.js'",
        "export { f } from './a.js'",
        "import './a.js'; export function f() {}",
    ] {
        assert!(refused("task.js", text).contains("import of './a.js'"), "{text}");
    }
    let types = "import type { A } from './a';\nimport { B } from './b';\nexport default (x: A): B => x;";
    assert!(!built("task.ts", types).source.contains("import"));
}

#[test]
fn a_script_that_exports_no_function_is_refused() {
    for text in [
        "export const a = 1;",
        "function f() {}",
        "export default class {}",
        "",
    ] {
        assert!(
            refused("a.js", text).starts_with("a.js exports no function"),
            "{text}"
        );
    }
    // What is made by a call may well be a function.
    built(
        "a.js",
        "export const f = memo(x => x); function memo(f) { return f }",
    );
}

#[test]
fn what_is_too_long_or_named_strangely_is_refused() {
    let long = format!("export default () => '{}'", "a".repeat(500 << 10));
    assert!(refused("a.js", &long).contains("409600"), "the limit is named");
    let longer = " ".repeat(5 << 20);
    assert!(matches!(
        build("a.js", &longer),
        Err(ScriptError::TextTooLong { .. })
    ));
    assert!(refused("a.py", "1").contains(".ts"));
    assert_eq!(build("a\n.js", "1"), Err(ScriptError::FileName));
}

/// `bytes` with `from` replaced; both have the same length, so that the section's length stays true.
fn forged(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|window| window == from.as_bytes());
    let at = at.expect("what is to be replaced is there");
    let mut forged = bytes.to_vec();
    forged[at..at + to.len()].copy_from_slice(to.as_bytes());
    forged
}

#[test]
fn a_forged_container_is_checked_like_any_other() {
    let container = build("a.js", "export default x => x").unwrap();
    let refusal = admit(forged(&container, "x => x", "x = > ")).unwrap_err();
    assert!(
        matches!(refusal.cause, Cause::Script(ScriptError::Syntax { .. })),
        "{refusal}"
    );
    let refusal = admit(forged(
        &container,
        "export default x => x",
        "export * from './a.js",
    ))
    .unwrap_err();
    assert!(
        matches!(refusal.cause, Cause::Script(ScriptError::Syntax { .. })),
        "{refusal}"
    );
    let refusal = admit(forged(
        &container,
        "engine\":\"",
        "engine\":\"".to_uppercase().as_str(),
    ))
    .unwrap_err();
    assert!(
        matches!(refusal.cause, Cause::Script(ScriptError::Container(_))),
        "{refusal}"
    );
    let refusal = admit(forged(&container, &script_engine::SHA256[..4], "zzzz")).unwrap_err();
    assert_eq!(refusal.cause, Cause::Script(ScriptError::Engine));
    let mut behind = container;
    behind.extend_from_slice(&[0, 2, 1, b'x']);
    assert!(matches!(
        admit(behind).unwrap_err().cause,
        Cause::Script(ScriptError::Container(_))
    ));
}

#[test]
fn the_engines_params_carry_the_script_and_the_jobs_params() {
    let script = built("a.js", "export default x => x");
    let params: serde_json::Value =
        serde_json::from_slice(&script.run_params("default", &json!({"k": 1}), false)).unwrap();
    let wanted =
        json!({"source": "export default x => x", "entry": "default", "params": {"k": 1}, "file": "a.js"});
    assert_eq!(params, wanted);
    let reduce: serde_json::Value =
        serde_json::from_slice(&script.run_params("sum", &json!(null), true)).unwrap();
    assert_eq!(reduce["reduce"], json!(true));
}

#[test]
fn positions_lead_back_to_the_authors_file() {
    let script = built("src/task.ts", TYPED);
    let line = script
        .source
        .lines()
        .position(|line| line.contains("item.n *"))
        .unwrap();
    let column = script.source.lines().nth(line).unwrap().find("item.n").unwrap();
    let detail = format!(
        "TypeError: no\n    at double (src/task.ts:{}:{})\n    at src/task.ts:x",
        line + 1,
        column + 1
    );
    let traced = script.trace(&detail);
    let wanted = "TypeError: no\n  8 |   return item.n * (params.by ?? Color.Green);\n    |          ^\n    at double \
                  (src/task.ts:8:10)\n    at src/task.ts:x";
    assert_eq!(traced, wanted);
}

#[test]
fn a_bundle_with_its_own_map_leads_back_too() {
    use base64::Engine as _;
    // One line of two: generated 1:1 -> src/inner.ts 3:5.
    let map = r#"{"version":3,"sources":["src/inner.ts"],"sourcesContent":["a\nb\n    throw 1\n"],"names":[],"mappings":"AAEI"}"#;
    let encoded = base64::engine::general_purpose::STANDARD.encode(map);
    let text = format!(
        "export default () => {{ throw 1 }}\n//# sourceMappingURL=data:application/json;base64,{encoded}\n"
    );
    let script = built("bundle.js", &text);
    assert!(!script.source.contains("sourceMappingURL"));
    let traced = script.trace("Error\n    at default (bundle.js:1:24)");
    assert!(traced.contains("src/inner.ts:3:5"), "{traced}");
    assert!(traced.contains("3 |     throw 1"), "{traced}");
}

#[test]
fn a_typescript_file_that_was_made_of_others_leads_back_to_them() {
    use base64::Engine as _;
    // Its second line was the third of src/inner.ts; of its fourth nothing is known.
    let map = r#"{"version":3,"sources":["src/inner.ts"],"sourcesContent":["a\nb\n    throw new Error(x)\n"],"names":[],"mappings":";AAEI"}"#;
    let encoded = base64::engine::general_purpose::STANDARD.encode(map);
    let text = format!(
        "export default (x: string): never => {{\n  throw new Error(x);\n}};\nexport const other = (n: number) => n.y;\n\
         //# sourceMappingURL=data:application/json;charset=utf-8;base64,{encoded}\n"
    );
    let script = built("made.ts", &text);
    let line = |what: &str| {
        script
            .source
            .lines()
            .position(|line| line.contains(what))
            .unwrap()
            + 1
    };
    let traced = script.trace(&format!("Error\n    at default (made.ts:{}:8)", line("throw")));
    assert!(traced.contains("src/inner.ts:3:5"), "{traced}");
    assert!(traced.contains("3 |     throw new Error(x)"), "{traced}");
    let traced = script.trace(&format!("Error\n    at other (made.ts:{}:30)", line("other")));
    assert!(traced.contains("(made.ts:4:"), "{traced}");
    assert!(traced.contains("4 | export const other"), "{traced}");
}
