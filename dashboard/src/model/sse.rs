//! Server-sent events from a fetch stream, because `EventSource` cannot send a token.
//! Follows the WHATWG HTML standard, section 9.2.6, as far as a coordinator uses it.
use super::lines::{LineTooLong, Lines};

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its kind; empty when the server did not say.
    pub event: String,
    /// Its data.
    pub data: String,
}

/// Reads a stream of events.
#[derive(Debug, Default)]
pub struct Sse {
    lines: Lines,
    message: Message,
    has_data: bool,
    last_id: String,
}

impl Sse {
    /// Takes the next bytes; returns the events that are now complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, LineTooLong> {
        let mut messages = Vec::new();
        for line in self.lines.push(bytes)? {
            if line.is_empty() {
                messages.extend(self.finish_message());
            } else {
                self.field(&line);
            }
        }
        Ok(messages)
    }

    /// The id of the last event, to go on from; empty before the first.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// A new connection begins: what was half read is dropped, the last id stays.
    pub fn reconnect(&mut self) {
        let last_id = std::mem::take(&mut self.last_id);
        *self = Self {
            last_id,
            ..Self::default()
        };
    }

    fn finish_message(&mut self) -> Option<Message> {
        let message = std::mem::take(&mut self.message);
        std::mem::take(&mut self.has_data).then_some(message)
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.message.event = value.into(),
            "id" => self.last_id = value.into(),
            "data" => {
                if self.has_data {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
                self.has_data = true;
            }
            // Comments (an empty name) keep the connection alive; `retry` is ours to choose.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_with_ids_comments_and_several_lines_of_data() {
        let mut sse = Sse::default();
        let stream =
            b": hello\n\nid: 7\nevent: missed\ndata: {\"a\":\ndata: 1}\n\nid: 8\n\ndata\n\ndata: half";
        let messages = sse.push(stream).unwrap();
        let missed = Message {
            event: "missed".into(),
            data: "{\"a\":\n1}".into(),
        };
        assert_eq!(messages, [missed, Message::default()]);
        assert_eq!(sse.last_id(), "8");
    }

    #[test]
    fn a_new_connection_keeps_the_id_and_drops_the_half_event() {
        let mut sse = Sse::default();
        sse.push(b"id: 4\ndata: half").unwrap();
        sse.reconnect();
        assert_eq!(sse.push(b"data: whole\n\n").unwrap()[0].data, "whole");
        assert_eq!(sse.last_id(), "4");
    }
}
