//! What `#[kernel]` adds in the sandbox only: the exported function and the description's section.

/// Exports an entry from the program.
#[cfg(all(target_family = "wasm", not(feature = "library")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($name:literal, $entry:ident, $parts:ident) => {
        const _: () = {
            #[unsafe(export_name = $name)]
            extern "C" fn run() {
                $crate::guest::run($entry.run);
            }

            #[used]
            #[unsafe(link_section = "elytra.description")]
            static DESCRIPTION: [u8; $crate::macros::length($parts)] = $crate::macros::join($parts);
        };
    };
}

/// Exports nothing: outside the sandbox the kernels are plain functions.
#[cfg(not(all(target_family = "wasm", not(feature = "library"))))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($name:literal, $entry:ident, $parts:ident) => {};
}
