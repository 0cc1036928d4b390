//! Promise 21: other sites cannot use a browser's way to this server. A page's socket is let in from our own origin and
//! the listed ones, and only with a ticket that its origin asked for; nothing that a browser sends by itself counts.
use crate::raw::{BINARY, ended_by, frame, upgrade};
use crate::support::{Server, hello, soon};
use crate::tokens::token;
use futures_util::{SinkExt as _, StreamExt as _};
use promise::kept;
use protocol::frame::{decode_to_worker, encode_from_worker};
use protocol::wire::{RefusalCode, ToWorker};
use reqwest::Method;
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

const LISTED: &str = "https://lend.example.org";

/// Origins, and whether a page of them may be a worker. `{host}` is what the server is asked as.
const ORIGINS: [(&str, bool); 25] = [
    ("http://{host}", true),
    // What ends TLS may stand before the server: the same host over TLS is the same site.
    ("https://{host}", true),
    (LISTED, true),
    ("http://lend.example.org", false),
    ("https://example.org", false),
    ("https://evil.lend.example.org", false),
    ("https://lend.example.org.evil.net", false),
    ("https://lend.example.org:8443", false),
    ("https://lend.example.org:443", false),
    ("https://lend.example.orge", false),
    ("https://lend-example.org", false),
    ("https://lend.example.org/", false),
    ("https://LEND.example.org", false),
    ("https://user@lend.example.org", false),
    ("https://lend.example.org.", false),
    ("null", false),
    ("", false),
    ("file://", false),
    ("chrome-extension://abcdefghijklmnop", false),
    ("http://127.0.0.1", false),
    ("http://127.0.0.1:1", false),
    ("http://localhost", false),
    ("http://{host}.evil.net", false),
    ("http://evil.net#{host}", false),
    ("ws://{host}", false),
];

struct Asked<'a> {
    server: &'a Server,
    origin: &'a str,
}

impl Asked<'_> {
    /// A ticket for a page of the origin, where it gets one.
    async fn ticket(&self, token: Option<&str>) -> Option<String> {
        let mut request = self
            .server
            .bare(Method::POST, "/api/v1/tickets")
            .header("origin", self.origin);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let made: Value = response.json().await.unwrap();
        made["ticket"].as_str().map(str::to_owned)
    }

    /// What a socket of the origin is answered: a status, or what the session says to a hello with this token.
    async fn socket(
        &self,
        shown: Option<&str>,
        headers: &[(&'static str, &str)],
    ) -> Result<Option<RefusalCode>, u16> {
        let headers = [&[("origin", self.origin)], headers].concat();
        let stream = upgrade(self.server.address, &headers, None).await?;
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        let hello = encode_from_worker(&hello(u64::from(rand()), shown));
        socket.send(Message::Binary(hello.into())).await.unwrap();
        let Some(Ok(Message::Binary(frame))) = soon("an answer", socket.next()).await else {
            panic!("no answer")
        };
        match decode_to_worker(&frame).unwrap() {
            ToWorker::Welcome { .. } => Ok(None),
            ToWorker::Refused { code, .. } => Ok(Some(code)),
            other => panic!("{other:?}"),
        }
    }
}

/// Another worker each time.
fn rand() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn ws_origin_matrix() {
    let server = Server::start_with(|settings| settings.cors_origins = vec![LISTED.into()]).await;
    let host = server.address.to_string();
    // A ticket that is good, of another page: it must help nobody else.
    let own = format!("http://{host}");
    let mut tried = 0;
    for (origin, may) in ORIGINS {
        let origin = origin.replace("{host}", &host);
        let asked = Asked {
            server: &server,
            origin: &origin,
        };
        let stolen = Asked {
            server: &server,
            origin: &own,
        };
        let stolen = stolen.ticket(None).await.unwrap();
        let ticket = asked.ticket(None).await;
        assert_eq!(ticket.is_some(), may, "{origin} gets a ticket");
        let without = asked.socket(None, &[]).await;
        let with_cookie = asked
            .socket(None, &[("cookie", &format!("token={}", server.token))])
            .await;
        let with_header = asked
            .socket(None, &[("authorization", &format!("Bearer {}", server.token))])
            .await;
        let with_token = asked.socket(Some(&server.token), &[]).await;
        let with_stolen = asked.socket(Some(&stolen), &[]).await;
        tried += 6;
        if !may {
            for told in [without, with_cookie, with_header, with_token, with_stolen] {
                assert_eq!(told, Err(403), "{origin}");
            }
            continue;
        }
        for told in [without, with_cookie, with_header, with_token] {
            assert_eq!(
                told,
                Ok(Some(RefusalCode::TokenMissing)),
                "{origin} without a ticket"
            );
        }
        let good = ticket.as_deref();
        if origin != own {
            assert_eq!(
                with_stolen,
                Ok(Some(RefusalCode::TokenWrong)),
                "{origin} with another's ticket"
            );
        }
        assert_eq!(
            asked.socket(good, &[]).await,
            Ok(None),
            "{origin} with its ticket"
        );
        assert_eq!(
            asked.socket(good, &[]).await,
            Ok(Some(RefusalCode::TokenWrong)),
            "{origin} with a ticket that was used"
        );
    }
    // The twin: a program sends no origin and needs no ticket, so nothing but the origin made the difference.
    let program = upgrade(server.address, &[], None).await.unwrap();
    let said = frame(BINARY, &encode_from_worker(&hello(5_000, None)));
    let bye = frame(BINARY, &encode_from_worker(&protocol::wire::FromWorker::Goodbye));
    assert_eq!(ended_by(program, [said, bye]).await.refused, None);
    let two = upgrade(server.address, &[("origin", &own), ("origin", LISTED)], None).await;
    assert_eq!(two.unwrap_err(), 403, "two origins are none");
    server.stop().await;
    a_ticket_carries_its_token().await;
    kept(
        "ws_origin_matrix",
        &format!(
            "{} origins, {tried} ways to ask; 3 of them let in, each with its own ticket and once",
            ORIGINS.len()
        ),
    );
}

/// Where the operator asks for tokens, a ticket is worth what the token is that asked for it.
async fn a_ticket_carries_its_token() {
    let server = Server::start_with(|settings| settings.worker_token_required = true).await;
    let origin = format!("http://{}", server.address);
    let asked = Asked {
        server: &server,
        origin: &origin,
    };
    let (work, id) = token(&server, "tab", &["work"], None).await;
    let (read, _) = token(&server, "reader", &["read"], None).await;
    assert_eq!(asked.ticket(None).await, None);
    assert_eq!(asked.ticket(Some(&read)).await, None);
    let ticket = asked.ticket(Some(&work)).await.unwrap();
    assert_eq!(asked.socket(Some(&ticket), &[]).await, Ok(None));
    let later = asked.ticket(Some(&work)).await.unwrap();
    let gone = server
        .api(Method::DELETE, &format!("/tokens/{id}"))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status().as_u16(), 204);
    assert_eq!(
        asked.socket(Some(&later), &[]).await,
        Ok(Some(RefusalCode::TokenWrong)),
        "a ticket does not outlive its token"
    );
    assert_eq!(
        asked.socket(Some(&read), &[]).await,
        Ok(Some(RefusalCode::ScopeMissing))
    );
    server.stop().await;
}
