//! `#[kernel]`: an entry beside the function.
use crate::attributes::{KernelArguments, about, first_argument, last_segment, type_name};
use crate::json;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{FnArg, ItemFn, ReturnType, Type};

pub(crate) fn expand(arguments: &KernelArguments, function: &ItemFn) -> syn::Result<TokenStream> {
    let signature = Signature::of(function)?;
    let (visibility, ident) = (&function.vis, &function.sig.ident);
    let name = ident.to_string();
    let constant = format_ident!("{}", name.to_uppercase());
    let parts = format_ident!("__{}_DESCRIPTION", name.to_uppercase());
    let description = description(arguments, function, &signature)?;
    let (item, params) = (signature.item, signature.params());
    let call = signature.call(function);
    let doc = format!("The entry `{name}`.");
    Ok(quote! {
        #function

        const #parts: &[&str] = &[#description];

        #[doc = #doc]
        #visibility const #constant: ::elytra_kernel::Entry = ::elytra_kernel::Entry {
            name: #name,
            description: {
                const BYTES: [u8; ::elytra_kernel::macros::length(#parts)] = ::elytra_kernel::macros::join(#parts);
                match ::core::str::from_utf8(&BYTES) {
                    Ok(text) => text,
                    Err(_) => panic!("joined texts are text"),
                }
            },
            run: |input, host| {
                ::elytra_kernel::macros::drive(input, host, |item: #item, params: &#params, out| #call)
            },
        };

        ::elytra_kernel::__export!(#name, #constant, #parts);
    })
}

/// What the function takes and gives.
struct Signature<'a> {
    item: &'a Type,
    params: Option<&'a Type>,
    output: &'a Type,
    fallible: bool,
}

impl<'a> Signature<'a> {
    fn of(function: &'a ItemFn) -> syn::Result<Self> {
        let shape = || {
            let message = "a kernel is fn name(item: Item, params: &Params) -> Output, params being optional";
            syn::Error::new_spanned(&function.sig, message)
        };
        let types = function.sig.inputs.iter().map(|argument| match argument {
            FnArg::Typed(argument) => Ok(argument.ty.as_ref()),
            FnArg::Receiver(_) => Err(shape()),
        });
        let types = types.collect::<syn::Result<Vec<_>>>()?;
        let (item, params) = match types.as_slice() {
            [item] => (*item, None),
            [item, Type::Reference(params)] => (*item, Some(params.elem.as_ref())),
            _ => return Err(shape()),
        };
        let ReturnType::Type(_, output) = &function.sig.output else {
            return Err(shape());
        };
        if function.sig.asyncness.is_some() || !function.sig.generics.params.is_empty() {
            return Err(shape());
        }
        let fallible = last_segment(output).as_deref() == Some("Result");
        let output = if fallible {
            first_argument(output).ok_or_else(shape)?
        } else {
            output
        };
        Ok(Self {
            item,
            params,
            output,
            fallible,
        })
    }

    fn params(&self) -> TokenStream {
        self.params
            .map_or_else(|| quote!(::elytra_kernel::NoParams), |ty| quote!(#ty))
    }

    fn call(&self, function: &ItemFn) -> TokenStream {
        let ident = &function.sig.ident;
        let call = match self.params {
            Some(_) => quote!(#ident(item, params)),
            None => quote!({ let _ = params; #ident(item) }),
        };
        let value = match self.fallible {
            true => quote!(#call.map_err(|error| ::std::string::ToString::to_string(&error))?),
            false => call,
        };
        quote!(::elytra_kernel::IntoOutput::append_to(#value, out))
    }
}

/// The pieces of the entry's description, joined by the compiler: some are known only to it.
fn description(
    arguments: &KernelArguments,
    function: &ItemFn,
    signature: &Signature<'_>,
) -> syn::Result<TokenStream> {
    let name = function.sig.ident.to_string();
    let title = arguments
        .title
        .as_ref()
        .map_or_else(|| name.clone(), syn::LitStr::value);
    let head = [
        json::pair("name", &json::string(&name)),
        json::pair("title", &json::string(&title)),
        json::pair("about", &json::string(&about(&function.attrs))),
        json::pair("item", &item(arguments, signature)?),
    ];
    let head = format!("\"}},{},\"params\":", head.join(","));
    let picture = arguments
        .picture
        .as_ref()
        .map(|text| json::pair("picture", &json::string(&text.value())));
    let tail = format!(
        "\"{}}}\n",
        picture.map_or_else(String::new, |pair| format!(",{pair}"))
    );
    let (params, output) = (signature.params(), signature.output);
    Ok(quote! {
        "{\"program\":{\"name\":\"", env!("CARGO_PKG_NAME"), "\",\"version\":\"", env!("CARGO_PKG_VERSION"),
        #head, <#params as ::elytra_kernel::Params>::FIELDS,
        ",\"output\":\"", <#output as ::elytra_kernel::IntoOutput>::KIND, #tail
    })
}

fn item(arguments: &KernelArguments, signature: &Signature<'_>) -> syn::Result<String> {
    let mut pairs = vec![json::pair("type", &json::string(type_name(signature.item)))];
    if let Some(text) = &arguments.item_about {
        pairs.push(json::pair("about", &json::string(&text.value())));
    }
    for (name, bound) in [("min", &arguments.item_min), ("max", &arguments.item_max)] {
        if let Some(bound) = bound {
            pairs.push(json::pair(name, &json::number(bound)?.0));
        }
    }
    Ok(format!("{{{}}}", pairs.join(",")))
}
