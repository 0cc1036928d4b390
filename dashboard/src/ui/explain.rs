//! Why something does not move, and what would change it.
use crate::net::poll::{Loaded, polled};
use crate::ui::notice::{Skeleton, TroubleNotice};
use leptos::prelude::*;
use protocol::api::{Explanation, Reason};

/// How often the reasons are read while they are shown.
const EVERY_MS: i32 = 4_000;

/// The reasons of a job or a worker, read from `path` while this is shown.
#[component]
pub fn Explain(
    /// Where they are read.
    path: String,
) -> impl IntoView {
    let explanation = polled::<Explanation>(path, EVERY_MS, || true);
    move || match explanation.get() {
        Loaded::Waiting => view! { <Skeleton lines=2/> }.into_any(),
        Loaded::Failed(trouble) => {
            view! { <TroubleNotice trouble title="The reasons could not be read"/> }.into_any()
        }
        Loaded::Ready(explanation) => {
            let reasons = explanation.reasons.into_iter().map(reason).collect_view();
            view! { <ul class="reasons">{reasons}</ul> }.into_any()
        }
    }
}

fn reason(reason: Reason) -> impl IntoView {
    let remedy = (!reason.remedy.is_empty()).then(|| view! { <span class="remedy">{reason.remedy}</span> });
    view! { <li><span>{reason.text}</span>{remedy}</li> }
}
