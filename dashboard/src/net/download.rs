//! Files for the visitor, made in the page.
use js_sys::Array;
use leptos::prelude::document;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, HtmlAnchorElement, Url};

/// Saves parts of text as one file; `None` where the browser does not take it.
pub fn parts(parts: &Array, name: &str) -> Option<()> {
    let blob = Blob::new_with_str_sequence(parts).ok()?;
    let url = Url::create_object_url_with_blob(&blob).ok()?;
    let link: HtmlAnchorElement = document().create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(&url);
    link.set_download(name);
    link.click();
    Url::revoke_object_url(&url).ok()
}

/// Saves a text as a file.
pub fn text(text: &str, name: &str) -> Option<()> {
    parts(&Array::of1(&JsValue::from_str(text)), name)
}
