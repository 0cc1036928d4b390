//! The picture that this tab works on: kept for the whole visit, so that it is still there when one comes back
//! to the page.
use super::contribute::JobStatus;
use super::palette::Palette;
use super::picture::{Layout, Patch};

/// Most bytes of tiles that wait for their job to be named.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// One tile that this tab computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// The job it belongs to.
    pub job: String,
    /// Which item.
    pub item: u64,
    /// The output.
    pub data: Vec<u8>,
}

/// The picture of the job that drew last, and what of it is not on the canvas yet.
#[derive(Debug, Default)]
pub struct Gallery {
    shown: Option<Shown>,
    palette: Palette,
    waiting: Vec<Tile>,
}

#[derive(Debug)]
struct Shown {
    job: String,
    layout: Layout,
    rgba: Vec<u8>,
    tiles: u64,
    fresh: Vec<Patch>,
}

impl Gallery {
    /// Takes a tile, and the jobs as the tab's worker names them now.
    pub fn take(&mut self, tile: Option<Tile>, jobs: &[JobStatus]) {
        self.waiting.extend(tile);
        for tile in std::mem::take(&mut self.waiting) {
            let job = jobs
                .iter()
                .find(|job| job.id == tile.job)
                .filter(|job| job.picture);
            let named = job.and_then(|job| Layout::of_params(&job.params));
            match named.or_else(|| {
                self.shown
                    .as_ref()
                    .filter(|shown| shown.job == tile.job)
                    .map(|shown| shown.layout)
            }) {
                Some(layout) => self.paint(&tile, layout),
                None => self.waiting.push(tile),
            }
        }
        while self.waiting.iter().map(|tile| tile.data.len()).sum::<usize>() > WAITING_BYTES_MAX {
            self.waiting.remove(0);
        }
    }

    fn paint(&mut self, tile: &Tile, layout: Layout) {
        let Some(patch) = layout.patch(tile.item, &tile.data, &self.palette) else {
            return;
        };
        if self.shown.as_ref().is_none_or(|shown| shown.job != tile.job) {
            self.shown = Some(Shown::new(&tile.job, layout));
        }
        if let Some(shown) = &mut self.shown {
            shown.take(patch);
        }
    }

    /// The job and the layout of what is shown.
    pub fn shown(&self) -> Option<(String, Layout)> {
        self.shown.as_ref().map(|shown| (shown.job.clone(), shown.layout))
    }

    /// How many tiles are painted.
    pub fn tiles(&self) -> u64 {
        self.shown.as_ref().map_or(0, |shown| shown.tiles)
    }

    /// What is not on the canvas yet; with `all`, because the canvas is new, everything.
    pub fn fresh(&mut self, all: bool) -> Vec<Patch> {
        let Some(shown) = &mut self.shown else {
            return Vec::new();
        };
        let fresh = std::mem::take(&mut shown.fresh);
        if all { vec![shown.whole()] } else { fresh }
    }
}

impl Shown {
    fn new(job: &str, layout: Layout) -> Shown {
        let (width, height) = layout.canvas();
        let rgba = vec![0; width as usize * height as usize * 4];
        Shown {
            job: job.into(),
            layout,
            rgba,
            tiles: 0,
            fresh: Vec::new(),
        }
    }

    fn take(&mut self, patch: Patch) {
        let stride = self.layout.canvas().0 as usize * 4;
        let row_bytes = patch.width as usize * 4;
        for (row, pixels) in patch.rgba.chunks(row_bytes).enumerate() {
            let begin = (patch.y as usize + row) * stride + patch.x as usize * 4;
            self.rgba[begin..begin + row_bytes].copy_from_slice(pixels);
        }
        self.tiles += 1;
        self.fresh.push(patch);
        // Nobody looks: what comes first when somebody does is the whole picture anyway.
        if self.fresh.iter().map(|patch| patch.rgba.len()).sum::<usize>() > self.rgba.len() {
            self.fresh = vec![self.whole()];
        }
    }

    fn whole(&self) -> Patch {
        let (width, height) = self.layout.canvas();
        Patch {
            x: 0,
            y: 0,
            width,
            height,
            rgba: self.rgba.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(id: &str) -> JobStatus {
        let params = json!({"width": 4, "height": 2, "tile": 2, "iterations_max": 9});
        JobStatus {
            id: id.into(),
            picture: true,
            params,
            ..JobStatus::default()
        }
    }

    fn tile(job: &str, item: u64) -> Option<Tile> {
        Some(Tile {
            job: job.into(),
            item,
            data: vec![9, 0, 9, 0, 9, 0, 9, 0],
        })
    }

    #[test]
    fn a_tile_that_comes_before_its_job_waits_for_it() {
        let mut gallery = Gallery::default();
        gallery.take(tile("a", 0), &[]);
        assert_eq!((gallery.tiles(), gallery.shown()), (0, None));
        gallery.take(None, &[job("a")]);
        gallery.take(tile("a", 1), &[]);
        assert_eq!(
            gallery.tiles(),
            2,
            "also when the job is over and no longer named"
        );
        assert_eq!(gallery.fresh(false).len(), 2);
        assert!(gallery.fresh(false).is_empty());
    }

    #[test]
    fn a_new_canvas_gets_everything_and_another_job_begins_anew() {
        let mut gallery = Gallery::default();
        gallery.take(tile("a", 0), &[job("a")]);
        gallery.fresh(false);
        let whole = gallery.fresh(true);
        assert_eq!(
            (
                whole.len(),
                whole[0].width,
                whole[0].rgba[3],
                whole[0].rgba[8 + 3]
            ),
            (1, 4, 255, 0)
        );
        gallery.take(tile("b", 1), &[job("a"), job("b")]);
        assert_eq!(
            (gallery.shown().map(|(job, _)| job), gallery.tiles()),
            (Some("b".into()), 1)
        );
    }

    #[test]
    fn what_nobody_looks_at_stays_bounded() {
        let mut gallery = Gallery::default();
        (0..100).for_each(|n| gallery.take(tile("a", n % 2), &[job("a")]));
        let bytes: usize = gallery.fresh(false).iter().map(|patch| patch.rgba.len()).sum();
        assert!(bytes <= 2 * 4 * 2 * 4, "{bytes}");
        for item in 0..3_000 {
            let tile = Tile {
                job: "z".into(),
                item,
                data: vec![0; 8_192],
            };
            gallery.take(Some(tile), &[]);
        }
        assert!(gallery.waiting.len() * 8_192 <= WAITING_BYTES_MAX);
    }
}
