//! Writes JSON texts while compiling.
use proc_macro2::Span;
use syn::{Expr, ExprLit, ExprUnary, Lit, UnOp};

/// `text` as a JSON string.
pub(crate) fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `"name":value`.
pub(crate) fn pair(name: &str, value: &str) -> String {
    format!("{}:{value}", string(name))
}

/// A literal, with or without a minus, as JSON.
pub(crate) fn literal(expression: &Expr) -> syn::Result<String> {
    match expression {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Int(number) => Ok(number.base10_digits().to_owned()),
            Lit::Float(number) => Ok(format!("{:?}", number.base10_parse::<f64>()?)),
            Lit::Bool(value) => Ok(value.value.to_string()),
            Lit::Str(text) => Ok(string(&text.value())),
            other => Err(syn::Error::new_spanned(
                other,
                "a number, a string, true or false is expected",
            )),
        },
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => Ok(format!("-{}", literal(expr)?)),
        other => Err(syn::Error::new_spanned(other, "a literal is expected")),
    }
}

/// A number's literal, as JSON and as the number.
pub(crate) fn number(expression: &Expr) -> syn::Result<(String, f64)> {
    let text = literal(expression)?;
    let value = text
        .parse()
        .map_err(|_| syn::Error::new(Span::call_site(), format!("{text} is not a number")))?;
    Ok((text, value))
}
