//! JavaScript and TypeScript as authors may write it, and containers as nobody should.
use program::script;

/// What is built can be opened; what is no container is refused.
pub(crate) fn run(bytes: &[u8]) {
    if let Ok(source) = std::str::from_utf8(bytes)
        && let Ok(container) = script::build("given.ts", source)
    {
        let opened = script::open(&container);
        assert!(opened.is_ok(), "what was built cannot be opened");
    }
    // Whatever it says; it must not panic.
    let _ = script::open(bytes);
}
