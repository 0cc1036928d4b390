//! Something that has to be said in a box: a problem with what to do, an empty list with what comes next.
use crate::model::words::Tone;
use crate::net::feed::{Link, feed};
use crate::net::http::Trouble;
use leptos::prelude::*;

/// A box with a heading.
#[component]
pub fn Notice(
    /// How it is meant.
    tone: Tone,
    /// Its heading.
    #[prop(into)]
    title: String,
    /// What is wrong and what to do.
    children: Children,
) -> impl IntoView {
    let role = (tone == Tone::Bad).then_some("alert");
    view! {
        <div class=format!("notice {}", tone.class()) role=role>
            <p class="notice-title">{title}</p>
            {children()}
        </div>
    }
}

/// Why a request was not served, and what to do.
#[component]
pub fn TroubleNotice(
    /// What went wrong.
    trouble: Trouble,
    /// What was tried.
    #[prop(into)]
    title: String,
) -> impl IntoView {
    let wants_token = trouble.wants_token();
    view! {
        <Notice tone=Tone::Bad title>
            {told(&trouble)}
            {wants_token.then(|| view! { <p><a href="/settings">"Enter a token"</a></p> })}
        </Notice>
    }
}

/// What went wrong; a message of several lines, such as a place in a source, keeps its lines.
fn told(trouble: &Trouble) -> AnyView {
    match trouble {
        Trouble::Refused(problem) if problem.detail.contains('\n') => view! {
            <p>{format!("{}:", problem.title.trim_end_matches('.'))}</p>
            <pre role="region" tabindex="0" aria-label="What is wrong, and where"><code>{problem.detail.clone()}</code></pre>
        }
        .into_any(),
        _ => view! { <p>{trouble.to_string()}</p> }.into_any(),
    }
}

/// Grey lines in place of what is being read.
#[component]
pub fn Skeleton(
    /// How many lines.
    #[prop(default = 3)]
    lines: usize,
) -> impl IntoView {
    let lines = (0..lines)
        .map(|_| view! { <span class="skeleton-line"></span> })
        .collect_view();
    view! { <div class="skeleton" role="status"><span class="unseen">"Loading"</span>{lines}</div> }
}

/// Grey lines while the feed is on its way; nothing where it will not come, because that is said elsewhere.
#[component]
pub fn Waiting(
    /// How many lines.
    lines: usize,
) -> impl IntoView {
    let link = feed().link;
    view! { <Show when=move || link.get() != Link::Denied><Skeleton lines/></Show> }
}
