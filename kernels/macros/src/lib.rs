//! The macros of the kernel SDK: `#[kernel]`, `#[derive(Params)]` and `#[derive(Choice)]`. Their
//! documentation is in `elytra-kernel`, which exports them.
#![forbid(unsafe_code)]
mod attributes;
mod json;
mod kernel;
mod params;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Makes an entry of a program out of `fn name(item: Item, params: &Params) -> Output`; `params` may
/// be left out, and the output may be a `Result`. The function stays as it is; beside it appears a
/// constant of the same name in capitals, an `elytra_kernel::Entry`.
///
/// `title = "…"` names the kernel for people (otherwise its name does), `item = "…"` says what an
/// item is, `item_min` and `item_max` bound it, `picture = "tiles"` says that its outputs are tiles
/// of a picture. The doc comment's first paragraph says what the kernel is about.
#[proc_macro_attribute]
pub fn kernel(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as attributes::KernelArguments);
    let function = parse_macro_input!(function as syn::ItemFn);
    kernel::expand(&arguments, &function)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Reads a struct from a job's parameters and describes its fields.
#[proc_macro_derive(Params, attributes(param))]
pub fn derive_params(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as syn::DeriveInput);
    params::expand(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes an enum of plain variants a parameter with a few words to choose from.
#[proc_macro_derive(Choice)]
pub fn derive_choice(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as syn::DeriveInput);
    params::expand_choice(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
