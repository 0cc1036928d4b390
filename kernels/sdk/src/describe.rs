//! Joins the pieces of an entry's description while compiling, because a custom section can hold
//! plain bytes only.

/// The length of `parts` joined, in bytes.
pub const fn length(parts: &[&str]) -> usize {
    let mut total = 0;
    let mut at = 0;
    while at < parts.len() {
        total += parts[at].len();
        at += 1;
    }
    total
}

/// `parts` joined; `LENGTH` must be their [`length`].
pub const fn join<const LENGTH: usize>(parts: &[&str]) -> [u8; LENGTH] {
    let mut out = [0; LENGTH];
    let mut filled = 0;
    let mut at = 0;
    while at < parts.len() {
        let part = parts[at].as_bytes();
        let mut byte = 0;
        while byte < part.len() {
            out[filled] = part[byte];
            filled += 1;
            byte += 1;
        }
        at += 1;
    }
    assert!(filled == LENGTH, "LENGTH is the length of the parts");
    out
}
