//! Promise 12: one tenant never sees another's jobs, items, programs, results, events or keys, and what is another's
//! is answered like what does not exist.
use crate::support::{RawWorker, Server, connect, hello, next, soon};
use crate::tokens::{address, body, expired, routes, token};
use futures_util::{SinkExt as _, StreamExt as _};
use promise::{amount, kept};
use protocol::frame::encode_from_worker;
use protocol::ids::{BlobHash, JobId};
use protocol::wire::{LeaseInput, ToWorker};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// Stands in everything that is ana's, and in nothing else.
const MARK: &str = "annas-secret";

/// A tenant's token and what it owns.
struct Tenant {
    token: String,
    job: String,
    program: String,
    blob: String,
}

/// What a caller is told, without what differs by chance.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    body: String,
}

async fn ask(server: &Server, method: &Method, path: &str, token: Option<&str>, body: &Value) -> Told {
    let mut request = server.bare(method.clone(), path).json(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = soon("an answer", request.send()).await.unwrap();
    let status = response.status().as_u16();
    let is_stream = response
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let body = if is_stream {
        "a stream".into()
    } else {
        response.text().await.unwrap()
    };
    let mut told = serde_json::from_str::<Value>(&body).unwrap_or(Value::String(body));
    if let Some(fields) = told.as_object_mut() {
        fields.remove("request");
    }
    Told {
        status,
        body: told.to_string(),
    }
}

async fn upload(server: &Server, path: &str, token: &str, bytes: &str) -> String {
    let request = server
        .bare(Method::POST, &format!("/api/v1{path}"))
        .bearer_auth(token);
    let made: Value = request
        .body(bytes.to_owned())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    made["hash"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"))
        .to_owned()
}

/// Somebody with a program, a blob, and a job over it that is done.
async fn tenant(server: &Server, name: &str, mark: &str) -> Tenant {
    let (token, _) = token(server, name, &["submit"], None).await;
    let text = format!("export default (n) => n; // {mark}");
    let program = upload(server, &format!("/programs?file={mark}.js"), &token, &text).await;
    let blob = upload(server, "/blobs", &token, "1\n2\n3\n").await;
    let kernel = server.program().await.to_string();
    let job = json!({"program": kernel, "entry": "double", "name": mark, "labels": {"of": mark},
        "input": {"blob": {"blob": blob}}, "grain": {"items": 1}});
    let request = server.bare(Method::POST, "/api/v1/jobs").bearer_auth(&token);
    let request = request.header("idempotency-key", "the-same-key").json(&job);
    let made: Value = request.send().await.unwrap().json().await.unwrap();
    let job = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    Tenant {
        token,
        job,
        program,
        blob,
    }
}

/// The addresses of a route: with what is ana's, and with what is nobody's.
fn addresses(path: &str, ana: &Tenant) -> (String, String) {
    let (known, unknown) = match path.split('/').nth(1) {
        Some("blobs") => (&ana.blob, "cd".repeat(32)),
        Some("programs") => (&ana.program, "cd".repeat(32)),
        Some("jobs") => (&ana.job, JobId(0xdead_beef_dead_beef).to_string()),
        // Nothing of ana's is named so.
        _ => return (address(path), address(path)),
    };
    let with = |id: &str| {
        let path = path
            .replace("{id}", id)
            .replace("{hash}", id)
            .replace("{shard}", "0");
        format!("/api/v1{path}")
    };
    (with(known), with(&unknown))
}

fn id_in(address: &str) -> &str {
    address.split('/').nth(4).unwrap()
}

/// Every route, as everybody who is not ana. Tells how many answers were compared.
async fn matrix(server: &Server, ana: &Tenant, strangers: &[(&str, Option<String>)]) -> usize {
    let mut compared = 0;
    for route in routes(server).await {
        let (method, path) = route.split_once(' ').unwrap();
        let method: Method = method.to_uppercase().parse().unwrap();
        let (known, unknown) = addresses(path, ana);
        for (who, token) in strangers {
            let of_ana = ask(server, &method, &known, token.as_deref(), &body(path)).await;
            let of_nobody = ask(server, &method, &unknown, token.as_deref(), &body(path)).await;
            compared += 1;
            // A program's hash is the right to read it: that is how programs are handed on, and how workers get them.
            if path.starts_with("/programs/{hash}") {
                continue;
            }
            assert!(
                !of_ana.body.contains(MARK),
                "{who}: {route} tells {}",
                of_ana.body
            );
            if known != unknown {
                let body = of_nobody.body.replace(id_in(&unknown), id_in(&known));
                let of_nobody = Told { body, ..of_nobody };
                assert_eq!(
                    of_ana, of_nobody,
                    "{who}: {route} can be told from what does not exist"
                );
                assert!(of_ana.status >= 400, "{who}: {route} does something");
            }
        }
    }
    compared
}

/// What a stranger hears while ana's job runs.
async fn overheard(server: &Server, token: &str, job: &str) -> String {
    let request = server.bare(Method::GET, "/api/v1/events").bearer_auth(token);
    let mut stream = request.send().await.unwrap().bytes_stream();
    server.until_over(job).await;
    let mut heard = Vec::new();
    // What was told before this moment is on its way: it is over when nothing comes for a while.
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(Duration::from_millis(600), stream.next()).await {
        heard.extend(piece);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// What a worker that has no token is leased of a long input, and what it can do with the name.
async fn leased_blob(server: &Server, ana: &Tenant) {
    let line = "7".repeat(2_000);
    let long: String = std::iter::repeat_n(format!("\"{line}\"\n"), 200).collect();
    let blob = upload(server, "/blobs", &ana.token, &long).await;
    let script = "export default (text) => text.length;";
    let program = upload(server, "/programs?file=long.js", &ana.token, script).await;
    let job = json!({"program": program, "entry": "default", "input": {"blob": {"blob": blob, "encoding": "json"}},
        "grain": {"items": 200}, "trust": "private"});
    let request = server
        .bare(Method::POST, "/api/v1/jobs")
        .bearer_auth(&ana.token)
        .json(&job);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 201);
    let mut socket = connect(server).await;
    let greeting = encode_from_worker(&hello(77, None));
    socket.send(Message::Binary(greeting.into())).await.unwrap();
    let name = loop {
        match next(&mut socket).await {
            Some(ToWorker::Lease(lease)) => match lease.input {
                LeaseInput::Blob { blob, .. } => break blob,
                other => panic!("{other:?}"),
            },
            Some(_) => {}
            None => panic!("the session ended"),
        }
    };
    assert_ne!(name.to_string(), blob, "what a worker is told is no hash");
    let read = |hash: String| server.bare(Method::GET, &format!("/api/v1/blobs/{hash}")).send();
    let leased = read(name.to_string()).await.unwrap();
    assert_eq!(
        leased.text().await.unwrap(),
        long,
        "a worker reads what it was leased"
    );
    assert_eq!(
        read(blob.clone()).await.unwrap().status().as_u16(),
        404,
        "and nothing by its hash"
    );
    // Whoever can guess the bytes knows the hash, and learns nothing by it.
    let guessed = BlobHash::of(b"1\n2\n3\n").to_string();
    assert_eq!(guessed, ana.blob);
    assert_eq!(read(guessed).await.unwrap().status().as_u16(), 404);
}

/// Ben names ana's blob in a job of his own, and her key in a submission of his own.
async fn borrowed_names(server: &Server, ana: &Tenant, ben: &str) {
    let kernel = server.program().await.to_string();
    let job = |blob: &str| json!({"program": kernel, "entry": "double", "input": {"blob": {"blob": blob}}});
    let submit = async |blob: &str, key: &str| {
        let request = server.bare(Method::POST, "/api/v1/jobs").bearer_auth(ben);
        let request = request.header("idempotency-key", key.to_owned()).json(&job(blob));
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    let unknown = "cd".repeat(32);
    let (status, of_ana) = submit(&ana.blob, "key-1").await;
    let (_, of_nobody) = submit(&unknown, "key-1").await;
    assert_eq!(status, 422, "{of_ana}");
    let words = |told: &Value, blob: &str| told["detail"].as_str().unwrap().replace(blob, "*");
    assert_eq!(words(&of_ana, &ana.blob), words(&of_nobody, &unknown));
    let own = upload(server, "/blobs", ben, "4\n5\n").await;
    let (status, made) = submit(&own, "the-same-key").await;
    assert_eq!((status, made["owner"].as_str()), (201, Some("ben")), "{made}");
    assert_ne!(made["id"], ana.job.as_str(), "a key is its owner's");
    // The same bytes under his own name: he is told what he called them.
    let text = format!("export default (n) => n; // {MARK}");
    let request = server
        .bare(Method::POST, "/api/v1/programs?file=bens.js")
        .bearer_auth(ben);
    let same: Value = request.body(text).send().await.unwrap().json().await.unwrap();
    assert_eq!(same["description"]["name"], "bens", "{same}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenant_isolation_matrix() {
    let server = Server::start().await;
    let ana = tenant(&server, "ana", MARK).await;
    let (ben, _) = token(&server, "ben", &["submit"], None).await;
    let (work, _) = token(&server, "w", &["work"], None).await;
    let strangers = [
        ("ben", Some(ben.clone())),
        ("a worker", Some(work)),
        ("nobody", None),
        ("an expired token", Some(expired(&server).await)),
        (
            "a forged token",
            Some(format!("ely_{}_{}_00000000", "0".repeat(16), "0".repeat(64))),
        ),
    ];
    let mut compared = matrix(&server, &ana, &strangers).await;
    let worker = tokio::spawn(RawWorker::join(&server, 1).await.work());
    let heard = overheard(&server, &ben, &ana.job).await;
    assert!(!heard.contains(MARK), "ben hears of ana's job: {heard}");
    compared += matrix(&server, &ana, &strangers).await;
    borrowed_names(&server, &ana, &ben).await;
    // The twin: ana sees all that is hers, and who may read everything sees it too.
    let (reader, _) = token(&server, "reader", &["read"], None).await;
    for (who, token) in [("ana", &ana.token), ("a reader", &reader)] {
        let listed = ask(&server, &Method::GET, "/api/v1/jobs", Some(token), &json!({})).await;
        assert!(listed.body.contains(MARK), "{who}: {listed:?}");
        let read = ask(
            &server,
            &Method::GET,
            &format!("/api/v1/jobs/{}", ana.job),
            Some(token),
            &json!({}),
        )
        .await;
        assert!(read.status == 200 && read.body.contains(MARK), "{who}: {read:?}");
        let blob = ask(
            &server,
            &Method::GET,
            &format!("/api/v1/blobs/{}", ana.blob),
            Some(token),
            &json!({}),
        )
        .await;
        assert_eq!(blob.status, 200, "{who}");
        let programs = ask(&server, &Method::GET, "/api/v1/programs", Some(token), &json!({})).await;
        assert!(programs.body.contains(&ana.program), "{who}");
    }
    let cancel = format!("/api/v1/jobs/{}/cancel", ana.job);
    let both = token(&server, "both", &["read", "submit"], None).await.0;
    for who in [&reader, &both] {
        let steered = ask(&server, &Method::POST, &cancel, Some(who), &json!({})).await;
        assert_eq!(
            steered.status, 403,
            "who reads everything changes nothing of others"
        );
    }
    leased_blob(&server, &ana).await;
    let guessed = guesses(&server, &ben, amount(500, 20_000)).await;
    worker.abort();
    let seen = format!(
        "{compared} answers to strangers on every route, and {guessed} guessed ids: none tells what is another's from \
         what does not exist"
    );
    kept("tenant_isolation_matrix", &seen);
}

/// Guesses near the ids that there are; tells how many.
async fn guesses(server: &Server, ben: &str, count: usize) -> usize {
    let listed = server.get("/jobs?limit=500").await;
    let jobs = listed["jobs"].as_array().unwrap().iter();
    let of = |job: &Value| {
        let id: JobId = job["id"].as_str()?.parse().ok()?;
        Some((id.0, job["owner"].as_str()?.to_owned()))
    };
    let owners: BTreeMap<u64, String> = jobs.filter_map(of).collect();
    let ids: Vec<u64> = owners.keys().copied().collect();
    for guess in 0..count as u64 {
        let near = ids[usize::try_from(guess).unwrap() % ids.len()].wrapping_add(guess / ids.len() as u64);
        let told = ask(
            server,
            &Method::GET,
            &format!("/api/v1/jobs/{}", JobId(near)),
            Some(ben),
            &json!({}),
        )
        .await;
        let own = owners.get(&near).is_some_and(|owner| owner == "ben");
        assert_eq!(told.status, if own { 200 } else { 404 }, "{near}: {told:?}");
    }
    count
}
