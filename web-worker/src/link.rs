//! The WebSocket to the coordinator. One [`Link`] is one connection attempt; dropping it closes the socket after
//! what was sent has left, and nothing more of it is heard.
use js_sys::{ArrayBuffer, Uint8Array};
use protocol::WIRE_SUBPROTOCOL;
use protocol::limits::FRAME_BYTES_MAX;
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

/// What happened on a connection.
#[derive(Debug)]
pub enum LinkEvent {
    /// It is open.
    Open,
    /// A frame came.
    Frame(Vec<u8>),
    /// A message came that is no binary frame of a permitted length.
    Malformed(String),
    /// It could not be opened, or has ended; for people: why.
    Closed(String),
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
}

impl Link {
    /// Begins to connect; `hear` is told what happens.
    pub fn open(url: &str, hear: impl Fn(LinkEvent) + Clone + 'static) -> Result<Self, String> {
        let socket = WebSocket::new_with_str(url, WIRE_SUBPROTOCOL).map_err(|error| words(&error))?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let hear_open = hear.clone();
        let on_open = Closure::<dyn FnMut()>::new(move || hear_open(LinkEvent::Open));
        let hear_message = hear.clone();
        let on_message =
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| hear_message(read(&event)));
        let on_close =
            Closure::<dyn FnMut(CloseEvent)>::new(move |event| hear(LinkEvent::Closed(reason(&event))));
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Ok(Self {
            socket,
            _on_open: on_open,
            _on_message: on_message,
            _on_close: on_close,
        })
    }

    /// Sends a frame; an error means that the connection is ending, which is heard by itself.
    pub fn send(&self, frame: &[u8]) -> Result<(), String> {
        self.socket
            .send_with_u8_array(frame)
            .map_err(|error| words(&error))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // Closing what is closed already is no error; there is nobody left to tell of another.
        let _ = self.socket.close();
    }
}

fn read(event: &MessageEvent) -> LinkEvent {
    match event.data().dyn_into::<ArrayBuffer>() {
        Ok(buffer) if buffer.byte_length() as usize <= FRAME_BYTES_MAX => {
            LinkEvent::Frame(Uint8Array::new(&buffer).to_vec())
        }
        Ok(buffer) => LinkEvent::Malformed(format!("a frame of {} bytes came", buffer.byte_length())),
        Err(_) => LinkEvent::Malformed("a text message came where frames are binary".into()),
    }
}

/// The browser tells scripts little of why a connection failed; say what can be said.
fn reason(event: &CloseEvent) -> String {
    match (event.code(), event.reason()) {
        (code, reason) if !reason.is_empty() => format!("{reason} (code {code})"),
        (1006, _) => "the coordinator cannot be reached, or the connection broke".into(),
        (code, _) => format!("the connection was closed (code {code})"),
    }
}

/// An exception in words.
pub fn words(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| format!("{error:?}"), |error| String::from(error.message()))
}
