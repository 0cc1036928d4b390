//! What people write in `#[kernel(…)]`, `#[param(…)]` and doc comments.
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, MetaNameValue, Token, Type};

/// The arguments of `#[kernel]`.
#[derive(Default)]
pub(crate) struct KernelArguments {
    pub(crate) title: Option<LitStr>,
    pub(crate) picture: Option<LitStr>,
    pub(crate) item_about: Option<LitStr>,
    pub(crate) item_min: Option<Expr>,
    pub(crate) item_max: Option<Expr>,
}

impl Parse for KernelArguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut out = Self::default();
        for MetaNameValue { path, value, .. } in
            Punctuated::<MetaNameValue, Token![,]>::parse_terminated(input)?
        {
            match path.get_ident().map(ToString::to_string).as_deref() {
                Some("title") => out.title = Some(string(&value)?),
                Some("picture") => out.picture = Some(string(&value)?),
                Some("item") => out.item_about = Some(string(&value)?),
                Some("item_min") => out.item_min = Some(value),
                Some("item_max") => out.item_max = Some(value),
                _ => {
                    let message = "known here: title, picture, item, item_min, item_max";
                    return Err(syn::Error::new_spanned(path, message));
                }
            }
        }
        Ok(out)
    }
}

/// The arguments of `#[param]`.
#[derive(Default)]
pub(crate) struct ParamArguments {
    pub(crate) default: Option<Expr>,
    pub(crate) min: Option<Expr>,
    pub(crate) max: Option<Expr>,
    pub(crate) choice: bool,
}

impl ParamArguments {
    pub(crate) fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut out = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("param")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("default") {
                    out.default = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("min") {
                    out.min = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("max") {
                    out.max = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("choice") {
                    out.choice = true;
                } else {
                    return Err(meta.error("known here: default, min, max, choice"));
                }
                Ok(())
            })?;
        }
        Ok(out)
    }
}

fn string(expression: &Expr) -> syn::Result<LitStr> {
    match expression {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) => Ok(text.clone()),
        other => Err(syn::Error::new_spanned(other, "a string is expected")),
    }
}

/// The first paragraph of a doc comment, as one line.
pub(crate) fn about(attributes: &[Attribute]) -> String {
    let lines = attributes
        .iter()
        .filter(|a| a.path().is_ident("doc"))
        .filter_map(|a| match &a.meta {
            Meta::NameValue(pair) => string(&pair.value)
                .ok()
                .map(|text| text.value().trim().to_owned()),
            _ => None,
        });
    lines
        .take_while(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// How the description calls a type: by its name, so any other type with the same name is called so
/// too; what is not known is JSON.
pub(crate) fn type_name(ty: &Type) -> &'static str {
    match last_segment(ty).as_deref() {
        Some("i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" | "isize") => "integer",
        Some("f32" | "f64") => "number",
        Some("bool") => "boolean",
        Some("String" | "char" | "Bytes") => "text",
        Some("Option") => first_argument(ty).map_or("json", type_name),
        _ => "json",
    }
}

/// The last name of a type's path.
pub(crate) fn last_segment(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last().map(|segment| segment.ident.to_string())
}

/// `T` of `Name<T, …>`.
pub(crate) fn first_argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let syn::PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
