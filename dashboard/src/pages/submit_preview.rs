//! What a picture will show, and places to begin with.
use super::submit::Draft;
use crate::model::escape::{self, PLACES, Place};
use crate::model::form;
use crate::model::palette::Palette;
use crate::model::picture::Patch;
use crate::ui::canvas::paint;
use leptos::html::Canvas;
use leptos::prelude::*;

/// Width of the preview in pixels; its height follows the picture.
const WIDTH: u32 = 288;
/// Greatest height of the preview in pixels.
const HEIGHT_MAX: u32 = 288;

/// Shown for entries whose picture is a view of the Mandelbrot set.
#[component]
pub fn PreviewPart(
    /// The job that is being written.
    draft: Draft,
) -> impl IntoView {
    let seen = Memo::new(move |_| seen(draft));
    let is_view = Memo::new(move |_| {
        let entry = draft.entry();
        entry.picture.is_some()
            && form::complete(&entry, &form::Typed::new())
                .is_some_and(|params| escape::view_of(&params).is_some())
    });
    view! { <Show when=move || is_view.get()><Preview draft seen/></Show> }
}

/// What is previewed: the view, and width and height of the preview.
type Seen = ((f64, f64, f64), u32, u32);

fn seen(draft: Draft) -> Option<Seen> {
    let entry = draft.entry();
    let params = draft.typed.with(|typed| form::complete(&entry, typed))?;
    let (width, height) = draft.layout()?.size();
    let height = f64::from(WIDTH) * f64::from(height) / f64::from(width);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 1 to 288"
    )]
    let height = height.clamp(1.0, f64::from(HEIGHT_MAX)) as u32;
    Some((escape::view_of(&params)?, WIDTH, height))
}

#[component]
fn Preview(draft: Draft, seen: Memo<Option<Seen>>) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let palette = Palette::default();
    let height = move || seen.get().map_or(HEIGHT_MAX, |(_, _, height)| height);
    Effect::new(move |_| {
        let (Some(canvas_there), Some((view, width, height))) = (canvas.get(), seen.get()) else {
            return;
        };
        // Setting a size clears the canvas, so it is set here, before painting, and not by the view.
        canvas_there.set_height(height);
        let rgba = escape::preview(view, width, height, &palette);
        paint(
            canvas,
            &Patch {
                x: 0,
                y: 0,
                width,
                height,
                rgba,
            },
        );
    });
    let label = move || {
        seen.get().map_or_else(
            || "No preview: the parameters do not fit".to_owned(),
            |((x, y, span), ..)| format!("Preview of the view around {x}, {y}, {span} wide"),
        )
    };
    let places = PLACES.map(|place| {
        view! { <li><button type="button" class="quiet" on:click=move |_| go_to(draft, place)>{place.name}</button></li> }
    });
    view! {
        <section class="preview" aria-labelledby="preview">
            <h2 id="preview">"Preview"</h2>
            <canvas node_ref=canvas width=WIDTH height=untrack(height) role="img" aria-label=label></canvas>
            <div>
                <p class="help" id="places">"Places to begin with"</p>
                <ul class="places" aria-labelledby="places">{places.collect_view()}</ul>
            </div>
        </section>
    }
}

fn go_to(draft: Draft, place: Place) {
    draft.typed.update(|typed| {
        for (name, value) in [
            ("center_x", place.center_x),
            ("center_y", place.center_y),
            ("span", place.span),
        ] {
            typed.insert(name.into(), value.to_string());
        }
    });
}
