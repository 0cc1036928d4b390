//! `elytra receipt …`: what an account was credited with, and whether a receipt holds.
use crate::args::{CommonArgs, Format, ReceiptCommand};
use crate::context;
use crate::failure::{Code, Failure};
use crate::output::{self, Table, words};
use crate::say::{ago, note};
use elytra_client::{Client, Error};
use protocol::credit::{Receipt, ReceiptPage};
use std::path::Path;

/// Longest file of receipts: 500 of the largest.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// `elytra receipt …`.
pub(crate) async fn receipt(common: &CommonArgs, command: &ReceiptCommand) -> Result<Code, Failure> {
    match command {
        ReceiptCommand::List { account } => {
            let receipts = context::client(common)?.receipts(*account).await?;
            output::list(common.output, &receipts, table)?;
            Ok(Code::Done)
        }
        ReceiptCommand::Get { id } => {
            let receipt = context::client(common)?.receipt(*id).await?;
            // A receipt is kept as the server wrote it, whatever the format.
            let format = if common.output == Format::Table {
                Format::Json
            } else {
                common.output
            };
            output::one(format, &receipt, |receipt| receipt.signature.clone())?;
            Ok(Code::Done)
        }
        ReceiptCommand::Check { file, offline } => {
            let receipts = read(file)?;
            let client = if *offline {
                None
            } else {
                Some(context::client(common)?)
            };
            for receipt in &receipts {
                check(client.as_ref(), receipt).await?;
            }
            Ok(Code::Done)
        }
    }
}

/// One receipt, or several as `receipt list -o json` and the API write them.
fn read(file: &Path) -> Result<Vec<Receipt>, Failure> {
    let at = |what: String| Failure::Usage(format!("{}: {what}", file.display()));
    let length = std::fs::metadata(file)
        .map_err(|error| at(error.to_string()))?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(at(format!("{length} bytes are too many for receipts")));
    }
    let json = std::fs::read(file).map_err(|error| at(error.to_string()))?;
    let one = serde_json::from_slice::<Receipt>(&json).map(|receipt| vec![receipt]);
    let receipts = one
        .or_else(|_| serde_json::from_slice::<Vec<Receipt>>(&json))
        .or_else(|_| serde_json::from_slice::<ReceiptPage>(&json).map(|page| page.receipts));
    receipts.map_err(|error| {
        at(format!(
            "this is no receipt ({error}); `elytra receipt get` writes one"
        ))
    })
}

async fn check(client: Option<&Client>, receipt: &Receipt) -> Result<(), Failure> {
    let id = receipt.booking.id;
    let wrong = |what: &str| Failure::Other(anyhow::anyhow!("receipt {id} does not hold: {what}"));
    if !receipt.is_sealed() {
        return Err(wrong("it was changed, or its server's key did not sign it"));
    }
    let server = receipt.server;
    let Some(client) = client else {
        note(&format!(
            "receipt {id}: signed by the server with the key {server}"
        ));
        return Ok(());
    };
    let theirs = client.receipt(id).await?;
    if theirs.booking != receipt.booking {
        return Err(wrong("the server has booked something else under this name"));
    }
    if theirs.server != server {
        return Err(wrong("it was signed with another key than the server's"));
    }
    let shards = receipt.booking.shards;
    match client.receipt_digests(id).await {
        Ok(digests) if receipt.fits(&digests.digests) => {
            note(&format!(
                "receipt {id}: signed, booked, and the digests of its {shards} shards fit"
            ));
            Ok(())
        }
        Ok(_) => Err(wrong("the digests of its shards do not fit")),
        Err(Error::Problem(problem)) if matches!(problem.status, 401 | 403) => {
            note(&format!(
                "receipt {id}: signed and booked; its digests are for tokens with the scope read"
            ));
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn table(receipts: &[Receipt]) -> Table {
    let columns = [words("RECEIPT"), words("SHARDS"), words("ITEMS"), words("BOOKED")];
    let mut table = Table::new(columns, "no receipts");
    for receipt in receipts {
        let booking = &receipt.booking;
        table.row([
            booking.id.to_string(),
            booking.shards.to_string(),
            booking.items.to_string(),
            ago(booking.time_ms),
        ]);
    }
    table
}
