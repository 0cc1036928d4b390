//! Blobs: put a file there, get it back by its hash.
use crate::args::Format;
use crate::failure::{Code, Failure};
use crate::output;
use crate::run;
use elytra_client::Client;
use protocol::ids::BlobHash;
use std::io::Write as _;
use std::path::Path;

/// `elytra blob put`.
pub(crate) async fn put(client: &Client, file: &Path, format: Format) -> Result<Code, Failure> {
    let hash = if file == Path::new("-") {
        run::send(client, tokio::io::stdin()).await?
    } else {
        run::upload(client, file).await?
    };
    output::one(format, &hash, ToString::to_string)?;
    Ok(Code::Done)
}

/// `elytra blob get`: to standard output, in pieces, so that its length does not matter.
pub(crate) async fn get(client: &Client, hash: BlobHash) -> Result<Code, Failure> {
    let mut pieces = client.download(hash).await?;
    let mut out = std::io::stdout();
    while let Some(piece) = client.piece(&mut pieces).await? {
        out.write_all(&piece).map_err(output::closed)?;
    }
    out.flush().map_err(output::closed)?;
    Ok(Code::Done)
}
