//! An answer that is read as it arrives.
use super::http::{self, Trouble};
use super::timer;
use js_sys::{Reflect, Uint8Array};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestInit};

/// A stream of bytes; dropping it ends the request.
pub struct ByteStream {
    reader: ReadableStreamDefaultReader,
    abort: AbortController,
    heard_ms: Rc<Cell<u64>>,
}

impl ByteStream {
    /// Opens it.
    pub async fn open(path: &str, headers: &[(&str, &str)]) -> Result<ByteStream, Trouble> {
        let abort = AbortController::new().map_err(|_| Trouble::Offline)?;
        let init = RequestInit::new();
        init.set_signal(Some(&abort.signal()));
        let response = http::send(path, &init, headers).await?;
        let stream = response
            .body()
            .ok_or_else(|| Trouble::Unreadable("an answer without a body".into()))?;
        let reader = stream.get_reader().unchecked_into();
        Ok(ByteStream {
            reader,
            abort,
            heard_ms: Rc::new(Cell::new(timer::now_ms())),
        })
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let read = JsFuture::from(self.reader.read())
            .await
            .map_err(|_| Trouble::Offline)?;
        self.heard_ms.set(timer::now_ms());
        let field = |name: &str| Reflect::get(&read, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED);
        if field("done").is_truthy() {
            return Ok(None);
        }
        Ok(field("value").dyn_ref::<Uint8Array>().map(Uint8Array::to_vec))
    }

    /// Ends the request when nothing was heard for `silence_ms`: a connection may die without a word.
    pub fn watch(&self, silence_ms: u64) {
        let (abort, heard_ms) = (self.abort.clone(), self.heard_ms.clone());
        spawn_local(async move {
            // Two holders: the stream and this watch. When the stream is gone, there is nothing to watch.
            while Rc::strong_count(&heard_ms) > 1 {
                timer::sleep(5_000).await;
                if timer::now_ms().saturating_sub(heard_ms.get()) > silence_ms {
                    return abort.abort();
                }
            }
        });
    }
}

impl Drop for ByteStream {
    fn drop(&mut self) {
        self.abort.abort();
    }
}
