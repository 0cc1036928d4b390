//! Recursion without end is the script's error, told by the engine before any stack outside is used up.
use crate::harness::{Call, range};
use runtime::RunOutcome;

/// Ways to recurse: through calls, callbacks, accessors, built-ins, the parser.
const WAYS: &[(&str, &str)] = &[
    ("calls", "function f(n) { return f(n + 1) + 1 } export default f"),
    (
        "callbacks",
        "function f(n) { return [n].map(f)[0] } export default f",
    ),
    (
        "accessors",
        "class A { get x() { return this.x + 1 } } export default () => new A().x",
    ),
    (
        "toJSON",
        "const o = { toJSON() { return JSON.stringify(o) } }; export default () => JSON.stringify(o)",
    ),
    ("sort", "function f() { return [1, 2].sort(f) } export default f"),
    (
        "replace",
        "function f() { return 'a'.replace(/a/, f) } export default f",
    ),
    (
        "proxies",
        "const p = new Proxy({}, { get(t, k, r) { return r[k] } }); export default () => p.x",
    ),
    (
        "a proxy of a proxy",
        "export default () => { let o = {}; for (let i = 0; i < 1e5; i++) o = new Proxy(o, {}); return o.x }",
    ),
    (
        "setting through proxies",
        "export default () => { let o = {}; for (let i = 0; i < 1e5; i++) o = new Proxy(o, {}); o.x = 1 }",
    ),
    ("JSON.parse", "export default () => JSON.parse('['.repeat(1e6))"),
    (
        "JSON.stringify",
        "export default () => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return JSON.stringify(a) }",
    ),
    (
        "a deep result",
        "export default () => { let a = {}; for (let i = 0; i < 1e5; i++) a = {a}; return a }",
    ),
    (
        "flat",
        "export default () => { let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a.flat(Infinity) }",
    ),
    (
        "eval of parentheses",
        "export default () => (0, eval)('('.repeat(1e5))",
    ),
    ("eval of lists", "export default () => (0, eval)('['.repeat(1e5))"),
    (
        "eval of functions",
        "export default () => (0, eval)('(()=>'.repeat(1e5))",
    ),
    (
        "eval of classes",
        "export default () => (0, eval)('(class { x = '.repeat(1e5))",
    ),
    (
        "eval of templates",
        "export default () => (0, eval)('`${'.repeat(1e5))",
    ),
    (
        "regular expressions",
        "export default () => new RegExp('(?:'.repeat(1e5) + ')'.repeat(1e5))",
    ),
    (
        "lookahead",
        "export default () => new RegExp('(?='.repeat(1e5) + ')'.repeat(1e5)).test('')",
    ),
    (
        "spread",
        "function f(...a) { return f(...a, 1) } export default f",
    ),
    (
        "generators",
        "function* g() { yield* g() } export default () => [...g()]",
    ),
    (
        "async",
        "async function f() { return await f() } export default f",
    ),
    (
        "toString",
        "const o = { toString() { return '' + o } }; export default () => '' + o",
    ),
    (
        "bound",
        "export default () => { let f = () => 1; for (let i = 0; i < 2e3; i++) f = f.bind(null); return f() }",
    ),
    (
        "constructors",
        "class A { constructor() { new A() } } export default () => new A()",
    ),
    (
        "Reflect",
        "function f() { return Reflect.apply(f, null, []) } export default f",
    ),
    (
        "iterators",
        "const it = { [Symbol.iterator]() { return [...it] } }; export default () => [...it]",
    ),
    (
        "Array.from",
        "function f() { return Array.from([1], f) } export default f",
    ),
    (
        "typed arrays",
        "function f() { return new Float64Array([1, 2]).sort(f) } export default f",
    ),
    (
        "getters of Object.assign",
        "const o = { get a() { return Object.assign({}, o) } }; export default () => o.a",
    ),
    (
        "instanceof",
        "class A { static [Symbol.hasInstance](x) { return x instanceof A } } export default () => ({}) instanceof A",
    ),
];

#[test]
fn recursion_without_end_is_an_error_of_the_script() {
    let overflow = ["Maximum call stack size exceeded", "stack overflow"];
    let told_otherwise = |text: &str| match Call::of(text).run(range(0, 1)).outcome {
        RunOutcome::Failed {
            item: Some(0),
            message,
        } if overflow.iter().any(|words| message.contains(words)) => None,
        other => Some(format!("{other:?}").chars().take(200).collect::<String>()),
    };
    let wrong = WAYS
        .iter()
        .filter_map(|(way, text)| Some((way, told_otherwise(text)?)));
    assert_eq!(wrong.collect::<Vec<_>>(), []);
}

#[test]
fn recursion_with_an_end_is_fine() {
    let text = "function f(n) { return n ? f(n - 1) + 1 : 0 } export default f";
    assert_eq!(Call::of(text).outputs(range(300, 1)), ["300"]);
    let many = "function f(...a) { return a.length } export default n => f(...new Array(n))";
    assert_eq!(Call::of(many).outputs(range(5000, 1)), ["5000"]);
    let frees =
        "export default n => { let a = null; for (let i = 0; i < n; i++) a = {a}; a = null; return n }";
    assert_eq!(Call::of(frees).outputs(range(200_000, 1)), ["200000"]);
}
