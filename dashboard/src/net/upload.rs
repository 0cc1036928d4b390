//! Sends bytes, such as a file, and says how many of them are on their way: `fetch` cannot tell.
use super::http::{self, Trouble};
use super::storage;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, ProgressEvent, XmlHttpRequest};

/// Posts bytes as they are and reads JSON. `on_sent` hears the share that was sent, from 0 to 1, as it grows. There
/// is no limit of time: files may be long.
pub async fn upload<T: DeserializeOwned>(
    path: &str,
    bytes: &Blob,
    on_sent: impl Fn(f64) + 'static,
) -> Result<T, Trouble> {
    let request = opened(path).map_err(http::unreadable)?;
    let progress = Closure::<dyn Fn(ProgressEvent)>::new(move |event: ProgressEvent| {
        if event.length_computable() && event.total() > 0.0 {
            on_sent(event.loaded() / event.total());
        }
    });
    let upload = request.upload().map_err(http::unreadable)?;
    upload.set_onprogress(Some(progress.as_ref().unchecked_ref()));
    request
        .send_with_opt_blob(Some(bytes))
        .map_err(http::unreadable)?;
    ended(&request).await?;
    let status = request.status().map_err(http::unreadable)?;
    let text = request.response_text().map_err(http::unreadable)?;
    match (status, text.unwrap_or_default()) {
        // No answer at all.
        (0, _) => Err(Trouble::Offline),
        (200..=299, text) => http::read(&text),
        (status, text) => Err(http::said_no(status, &text)),
    }
}

fn opened(path: &str) -> Result<XmlHttpRequest, JsValue> {
    let request = XmlHttpRequest::new()?;
    request.open_with_async("POST", &http::address(path), true)?;
    request.set_request_header("Content-Type", "application/octet-stream")?;
    if let Some(token) = storage::token() {
        request.set_request_header("Authorization", &http::bearer(&token))?;
    }
    Ok(request)
}

/// Waits for the answer, or for the news that there will be none.
async fn ended(request: &XmlHttpRequest) -> Result<(), Trouble> {
    let promise = js_sys::Promise::new(&mut |resolve, _| request.set_onloadend(Some(&resolve)));
    JsFuture::from(promise).await.map_err(http::unreadable)?;
    request.set_onloadend(None);
    Ok(())
}
