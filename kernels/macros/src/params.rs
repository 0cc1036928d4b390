//! `#[derive(Params)]` and `#[derive(Choice)]`.
use crate::attributes::{ParamArguments, about, last_segment, type_name};
use crate::json;
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Expr, Field, Fields};

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "parameters are a struct with named fields",
        ));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "parameters are a struct with named fields",
        ));
    };
    let params = fields
        .named
        .iter()
        .map(Param::of)
        .collect::<syn::Result<Vec<_>>>()?;
    let descriptions = params
        .iter()
        .enumerate()
        .map(|(at, param)| param.description(at == 0));
    let descriptions = descriptions.collect::<syn::Result<Vec<_>>>()?;
    let takes = params.iter().map(Param::take).collect::<syn::Result<Vec<_>>>()?;
    let names = params.iter().map(|param| &param.name);
    let ident = &input.ident;
    Ok(quote! {
        impl ::elytra_kernel::Params for #ident {
            const FIELDS: &'static str = {
                const PARTS: &[&str] = &["[", #(#descriptions)* "]"];
                const BYTES: [u8; ::elytra_kernel::macros::length(PARTS)] = ::elytra_kernel::macros::join(PARTS);
                match ::core::str::from_utf8(&BYTES) {
                    Ok(text) => text,
                    Err(_) => panic!("joined texts are text"),
                }
            };

            fn from_json(bytes: &[u8]) -> ::core::result::Result<Self, ::std::string::String> {
                let mut object = ::elytra_kernel::macros::Object::parse(bytes)?;
                let params = Self { #(#takes),* };
                object.finish(&[#(#names),*])?;
                Ok(params)
            }
        }
    })
}

/// One field.
struct Param<'a> {
    field: &'a Field,
    name: String,
    arguments: ParamArguments,
    optional: bool,
}

impl<'a> Param<'a> {
    fn of(field: &'a Field) -> syn::Result<Self> {
        let ident = field
            .ident
            .as_ref()
            .ok_or_else(|| syn::Error::new_spanned(field, "a name is missing"))?;
        let optional = last_segment(&field.ty).as_deref() == Some("Option");
        Ok(Self {
            field,
            name: ident.unraw().to_string(),
            arguments: ParamArguments::of(&field.attrs)?,
            optional,
        })
    }

    /// Pieces of text, with a comma behind each.
    fn description(&self, first: bool) -> syn::Result<TokenStream> {
        let kind = if self.arguments.choice {
            "choice"
        } else {
            type_name(&self.field.ty)
        };
        let mut pairs = vec![
            json::pair("name", &json::string(&self.name)),
            json::pair("type", &json::string(kind)),
            json::pair("about", &json::string(&about(&self.field.attrs))),
        ];
        for (name, value) in [
            ("default", &self.arguments.default),
            ("min", &self.arguments.min),
            ("max", &self.arguments.max),
        ] {
            if let Some(value) = value {
                pairs.push(json::pair(name, &json::literal(value)?));
            }
        }
        let required = self.arguments.default.is_none() && !self.optional;
        pairs.push(json::pair("required", &required.to_string()));
        let separator = if first { "" } else { "," };
        let text = format!("{separator}{{{}", pairs.join(","));
        let ty = &self.field.ty;
        Ok(match self.arguments.choice {
            true => quote!(#text, ",\"choices\":", <#ty as ::elytra_kernel::Choice>::CHOICES, "}",),
            false => quote!(#text, "}",),
        })
    }

    /// The field's part of the struct expression that reads it.
    fn take(&self) -> syn::Result<TokenStream> {
        let (ident, ty, name) = (&self.field.ident, &self.field.ty, &self.name);
        let rules = self.rules()?;
        let method = if self.arguments.choice {
            quote!(take_choice)
        } else {
            quote!(take)
        };
        Ok(quote!(#ident: object.#method::<#ty>(#name, #rules)?))
    }

    fn rules(&self) -> syn::Result<TokenStream> {
        let default = match (&self.arguments.default, self.optional) {
            (Some(value), _) => some(json::literal(value)?),
            (None, true) => some("null"),
            (None, false) => quote!(None),
        };
        let (min, max) = (
            bound(self.arguments.min.as_ref())?,
            bound(self.arguments.max.as_ref())?,
        );
        Ok(quote!(::elytra_kernel::macros::Rules { default: #default, min: #min, max: #max }))
    }
}

fn some(value: impl quote::ToTokens) -> TokenStream {
    quote!(Some(#value))
}

fn bound(expression: Option<&Expr>) -> syn::Result<TokenStream> {
    expression.map_or_else(
        || Ok(quote!(None)),
        |e| json::number(e).map(|(_, value)| some(value)),
    )
}

pub(crate) fn expand_choice(input: &DeriveInput) -> syn::Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "a choice is an enum of plain variants",
        ));
    };
    if let Some(variant) = data.variants.iter().find(|variant| !variant.fields.is_empty()) {
        return Err(syn::Error::new_spanned(
            variant,
            "a choice's variants hold nothing",
        ));
    }
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let words: Vec<_> = variants
        .iter()
        .map(|variant| variant.to_string().to_lowercase())
        .collect();
    let choices = format!(
        "[{}]",
        words
            .iter()
            .map(|word| json::string(word))
            .collect::<Vec<_>>()
            .join(",")
    );
    let ident = &input.ident;
    Ok(quote! {
        impl ::elytra_kernel::Choice for #ident {
            const CHOICES: &'static str = #choices;
            fn from_name(name: &str) -> ::core::option::Option<Self> {
                match name {
                    #(#words => Some(Self::#variants),)*
                    _ => None,
                }
            }
        }
    })
}
