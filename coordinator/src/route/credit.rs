//! What contributors have given: accounts, receipts, and those who chose to be listed.
//!
//! An account's name is the hash of a key and told to nobody, so who knows it may read what it says here; no token
//! is asked for, because contributors have none.
use super::App;
use super::caller::Caller;
use super::extract::{Id, Query};
use super::problem::{ApiError, ApiResult, kind};
use crate::store::{Reader, StoreError};
use axum::Json;
use axum::extract::State;
use protocol::api::Scope;
use protocol::credit::{Account, BookedRun, Booking, LeaderList, Receipt, ReceiptDigests, ReceiptPage};
use protocol::ids::{AccountId, Digest, ReceiptId, ShardIndex};
use protocol::problem::Problem;
use serde::Deserialize;
use std::sync::Arc;

const PAGE_RECEIPTS_DEFAULT: usize = 50;
const PAGE_RECEIPTS_MAX: usize = 500;
/// Bytes of outputs read at a time.
const READ_BYTES: usize = 4 << 20;

/// What an account has given. One that nobody ever heard of has given nothing.
#[utoipa::path(get, path = "/accounts/{id}", tag = "credit", params(("id" = AccountId, Path)),
    responses((status = 200, body = Account), (status = "default", body = Problem)))]
pub(crate) async fn account(State(app): State<Arc<App>>, Id(id): Id<AccountId>) -> ApiResult<Json<Account>> {
    let record = app
        .read(move |reader| reader.account(id))
        .await?
        .unwrap_or_default();
    Ok(Json(Account {
        account: id,
        name: record.name,
        credited: record.credited,
        checking_shards: app.engine.checking(id).await?,
        caught: record.caught,
    }))
}

/// Which receipts of an account.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReceiptsQuery {
    /// Where the page before ended.
    before: Option<u64>,
    /// Most receipts (1 to 500, otherwise 50).
    limit: Option<usize>,
}

/// Receipts of an account, newest first.
#[utoipa::path(get, path = "/accounts/{id}/receipts", tag = "credit",
    params(("id" = AccountId, Path), ReceiptsQuery),
    responses((status = 200, body = ReceiptPage), (status = "default", body = Problem)))]
pub(crate) async fn receipts(
    State(app): State<Arc<App>>,
    Id(id): Id<AccountId>,
    Query(query): Query<ReceiptsQuery>,
) -> ApiResult<Json<ReceiptPage>> {
    let limit = query
        .limit
        .unwrap_or(PAGE_RECEIPTS_DEFAULT)
        .clamp(1, PAGE_RECEIPTS_MAX);
    let bookings = app
        .read(move |reader| reader.bookings(id, query.before, limit))
        .await?;
    let next = bookings.last().map(|(number, _)| *number);
    let receipts = bookings
        .into_iter()
        .map(|(_, booking)| booking.sealed(&app.receipt_key));
    let receipts: Vec<Receipt> = receipts.collect();
    Ok(Json(ReceiptPage {
        next: next.filter(|_| receipts.len() == limit),
        receipts,
    }))
}

/// A receipt: what was booked, under this server's signature.
#[utoipa::path(get, path = "/receipts/{id}", tag = "credit", params(("id" = ReceiptId, Path)),
    responses((status = 200, body = Receipt), (status = "default", body = Problem)))]
pub(crate) async fn receipt(State(app): State<Arc<App>>, Id(id): Id<ReceiptId>) -> ApiResult<Json<Receipt>> {
    let booking = app.read(move |reader| reader.booking(id)).await?;
    let booking = booking.ok_or_else(|| unknown(id))?;
    Ok(Json(booking.sealed(&app.receipt_key)))
}

/// The digests of a receipt's shards, computed from the stored outputs.
#[utoipa::path(get, path = "/receipts/{id}/digests", tag = "credit", params(("id" = ReceiptId, Path)),
    security(("bearer" = ["read"])),
    responses((status = 200, body = ReceiptDigests), (status = "default", body = Problem)))]
pub(crate) async fn digests(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id<ReceiptId>,
) -> ApiResult<Json<ReceiptDigests>> {
    caller.need(Scope::Read)?;
    let read = move |reader: &dyn Reader| {
        let booking = reader.booking(id)?;
        booking.map(|booking| digests_of(reader, &booking)).transpose()
    };
    let digests = app.read(read).await?.ok_or_else(|| unknown(id))?;
    Ok(Json(ReceiptDigests { digests }))
}

/// Contributors who chose a name, those who gave most first.
#[utoipa::path(get, path = "/leaders", tag = "credit",
    responses((status = 200, body = LeaderList), (status = "default", body = Problem)))]
pub(crate) async fn leaders(State(app): State<Arc<App>>) -> ApiResult<Json<LeaderList>> {
    let leaders = app.read(|reader| reader.leaders()).await?;
    Ok(Json(LeaderList { leaders }))
}

fn unknown(id: ReceiptId) -> ApiError {
    ApiError::new(kind::NO_RECEIPT, format!("There is no receipt {id}."))
}

fn digests_of(reader: &dyn Reader, booking: &Booking) -> Result<Vec<Digest>, StoreError> {
    let mut digests = Vec::new();
    for run in &booking.runs {
        digests_in(reader, booking, *run, &mut digests)?;
    }
    Ok(digests)
}

/// A shard that is not there any more leaves its place out: the receipt does not fit then, and that is right.
fn digests_in(
    reader: &dyn Reader,
    booking: &Booking,
    run: BookedRun,
    into: &mut Vec<Digest>,
) -> Result<(), StoreError> {
    let end: ShardIndex = run.first.saturating_add(run.count);
    let mut from = run.first;
    while from < end {
        let page = reader.outputs(booking.id.job, 0, from, READ_BYTES)?;
        let Some(last) = page.last().map(|outputs| outputs.run().end()) else {
            return Ok(());
        };
        for outputs in &page {
            outputs.digests(|shard, digest| {
                if (from..end).contains(&shard) {
                    into.push(digest);
                }
            });
        }
        from = last.max(from + 1);
    }
    Ok(())
}
