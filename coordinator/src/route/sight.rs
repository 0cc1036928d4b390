//! Whose jobs a caller sees, and whose it may steer.
//!
//! A job belongs to the name of the token that submitted it. With `read` one sees every job and changes none; with
//! `submit` alone one sees and steers one's own; with `admin` all. What one does not see is answered exactly as what
//! does not exist.
use super::App;
use super::caller::Caller;
use super::problem::{ApiError, ApiResult, kind};
use super::view;
use crate::store::{JobRecord, StoredJob};
use protocol::api::Scope;
use protocol::ids::JobId;

/// Whose jobs a caller sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Everybody's.
    All,
    /// Those of this name.
    Own(String),
}

impl Sight {
    /// Whether it includes the job.
    pub(crate) fn sees(&self, record: &JobRecord) -> bool {
        self.sees_of(&record.owner)
    }

    /// Whether it includes the jobs of this name.
    pub(crate) fn sees_of(&self, owner: &str) -> bool {
        match self {
            Self::All => true,
            Self::Own(name) => name == owner,
        }
    }
}

impl Caller {
    /// Whose jobs the caller sees.
    pub(crate) fn sight(&self) -> ApiResult<Sight> {
        let bearer = self.need_any(&[Scope::Read, Scope::Submit])?;
        Ok(match bearer.allows(Scope::Read) {
            true => Sight::All,
            false => Sight::Own(bearer.name.clone()),
        })
    }
}

/// A job that the caller sees.
pub(crate) async fn seen(app: &App, caller: &Caller, id: JobId) -> ApiResult<StoredJob> {
    let sight = caller.sight()?;
    let stored = app.read(move |reader| reader.job(id)).await?;
    let seen = stored.filter(|job| sight.sees(&job.record));
    seen.ok_or_else(|| view::unknown(id))
}

/// A job that the caller may change.
pub(crate) async fn steered(app: &App, caller: &Caller, id: JobId) -> ApiResult<StoredJob> {
    let bearer = caller.need(Scope::Submit)?;
    let job = seen(app, caller, id).await?;
    if bearer.allows(Scope::Admin) || job.record.owner == bearer.name {
        return Ok(job);
    }
    let detail = format!(
        "{id} belongs to '{}'. Only its owner may change it, and who has the scope admin.",
        job.record.owner
    );
    Err(ApiError::new(kind::SCOPE, detail))
}
