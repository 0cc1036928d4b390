//! A job's picture, growing tile by tile in the order in which the tiles are accepted.
use crate::model::format;
use crate::model::lines::Lines;
use crate::model::palette::Palette;
use crate::model::picture::{Layout, base64};
use crate::net::http::Trouble;
use crate::net::poll::gone;
use crate::net::stream::ByteStream;
use crate::net::timer;
use crate::ui::canvas::paint;
use leptos::html::Canvas;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::api::ResultLine;
use protocol::ids::JobId;

/// Pause before a broken stream is taken up again where it broke.
const RETRY_MS: i32 = 2_000;
/// Lines painted before the browser gets a turn.
const LINES_PER_TURN: usize = 64;

/// The canvas and how much of it is painted.
#[component]
pub fn JobPicture(
    /// Which job.
    id: JobId,
    /// How its tiles lie.
    layout: Layout,
) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let painted = RwSignal::new(0u64);
    let painter = Painter {
        id,
        layout,
        canvas,
        painted,
    };
    let gone = gone();
    // The canvas must be on the page before the first tile is painted.
    Effect::new(move |begun: Option<bool>| {
        let there = canvas.get().is_some();
        if there && begun != Some(true) {
            let gone = gone.clone();
            spawn_local(async move { painter.run(gone).await });
        }
        there || begun == Some(true)
    });
    let (width, height) = layout.canvas();
    let (full_width, full_height) = layout.size();
    let tiles = layout.tiles();
    let size = format!("{full_width} × {full_height} pixels");
    let label = move || {
        format!(
            "The job's picture, {size}, {} of {tiles} tiles painted",
            painted.get()
        )
    };
    let caption = move || {
        format!(
            "{} of {}",
            format::count(painted.get()),
            format::count_of(tiles, "tile", "tiles")
        )
    };
    view! {
        <section aria-labelledby="picture">
            <h2 id="picture">"Picture"</h2>
            <figure class="picture">
                <canvas node_ref=canvas width=width height=height role="img" aria-label=label></canvas>
                <figcaption>{caption}</figcaption>
            </figure>
        </section>
    }
}

#[derive(Clone, Copy)]
struct Painter {
    id: JobId,
    layout: Layout,
    canvas: NodeRef<Canvas>,
    painted: RwSignal<u64>,
}

impl Painter {
    async fn run(self, gone: impl Fn() -> bool) {
        let palette = Palette::default();
        let mut cursor = String::new();
        while !gone() {
            match self.follow(&mut cursor, &palette, &gone).await {
                Ok(true) => return,
                Ok(false) | Err(_) => timer::sleep(RETRY_MS).await,
            }
        }
    }

    /// One life of the stream; whether the job's last tile came.
    async fn follow(
        self,
        cursor: &mut String,
        palette: &Palette,
        gone: &impl Fn() -> bool,
    ) -> Result<bool, Trouble> {
        let after = if cursor.is_empty() {
            String::new()
        } else {
            format!("&cursor={cursor}")
        };
        let path = format!("/jobs/{}/results?order=completed&follow=true{after}", self.id);
        let mut stream = ByteStream::open(&path, &[]).await?;
        let mut lines = Lines::default();
        while let Some(bytes) = stream.next().await? {
            let complete = lines
                .push(&bytes)
                .map_err(|error| Trouble::Unreadable(error.to_string()))?;
            for some in complete.chunks(LINES_PER_TURN) {
                if gone() || self.take(some, cursor, palette) {
                    return Ok(true);
                }
                timer::sleep(0).await;
            }
        }
        Ok(false)
    }

    /// Paints some lines; whether the end was among them.
    fn take(self, lines: &[String], cursor: &mut String, palette: &Palette) -> bool {
        let mut painted = 0;
        let mut at_end = false;
        for line in lines {
            match serde_json::from_str(line) {
                Ok(ResultLine::Item {
                    item,
                    bytes: Some(bytes),
                    ..
                }) => {
                    let patch = base64(&bytes).and_then(|bytes| self.layout.patch(item, &bytes, palette));
                    painted += u64::from(patch.is_some_and(|patch| paint(self.canvas, &patch)));
                }
                Ok(ResultLine::Cursor {
                    cursor: next, end, ..
                }) => {
                    *cursor = next;
                    at_end |= end;
                }
                _ => {}
            }
        }
        self.painted
            .try_update(|count| *count = (*count + painted).min(self.layout.tiles()));
        at_end
    }
}
