//! A picture that grows tile by tile: where an item's tile lies, and its pixels.
use super::palette::Palette;
use protocol::api::Job;
use protocol::description::{Entry, Picture};
use serde_json::Value;

/// Longest side of the canvas; a larger picture is shown thinned out.
pub const CANVAS_SIDE_MAX: u32 = 1_536;

/// How the tiles of a picture lie, and how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    width: u32,
    height: u32,
    tile: u32,
    iterations_max: u16,
    /// One pixel shown for so many in either direction.
    thinning: u32,
}

/// Pixels for the canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Left edge on the canvas.
    pub x: u32,
    /// Top edge on the canvas.
    pub y: u32,
    /// Width in canvas pixels; not 0.
    pub width: u32,
    /// Height in canvas pixels; not 0.
    pub height: u32,
    /// Red, green, blue, opaque; row by row.
    pub rgba: Vec<u8>,
}

impl Layout {
    /// The layout of a picture with these parameters (all of them, defaults filled in).
    pub fn of(entry: &Entry, params: &Value) -> Option<Layout> {
        let Some(Picture::Tiles) = entry.picture else {
            return None;
        };
        Layout::of_params(&entry.check_params(params).ok()?)
    }

    /// The layout of a job's picture, from its parameters as the coordinator completed them.
    pub fn of_job(job: &Job) -> Option<Layout> {
        Layout::of_params(&job.spec.params)
    }

    /// The layout that complete parameters describe; `None` where they describe none.
    pub fn of_params(params: &Value) -> Option<Layout> {
        let number = |name: &str| u32::try_from(params.get(name)?.as_u64()?).ok().filter(|n| *n > 0);
        let (width, height, tile) = (number("width")?, number("height")?, number("tile")?);
        let iterations_max = u16::try_from(number("iterations_max")?).ok()?;
        let thinning = width.max(height).div_ceil(CANVAS_SIDE_MAX);
        Some(Layout {
            width,
            height,
            tile,
            iterations_max,
            thinning,
        })
    }

    /// How many tiles there are.
    pub fn tiles(&self) -> u64 {
        u64::from(self.width.div_ceil(self.tile)) * u64::from(self.height.div_ceil(self.tile))
    }

    /// Width and height of the canvas.
    pub fn canvas(&self) -> (u32, u32) {
        (
            self.width.div_ceil(self.thinning),
            self.height.div_ceil(self.thinning),
        )
    }

    /// Width and height of the picture itself.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The patch that an item's output paints: `None` when the item is no tile, the output is not a tile's,
    /// or the tile is too thin to be seen at this thinning.
    pub fn patch(&self, item: u64, output: &[u8], palette: &Palette) -> Option<Patch> {
        let columns = self.width.div_ceil(self.tile);
        let item = u32::try_from(item)
            .ok()
            .filter(|item| u64::from(*item) < self.tiles())?;
        let (left, top) = (item % columns * self.tile, item / columns * self.tile);
        let (right, bottom) = (
            (left + self.tile).min(self.width),
            (top + self.tile).min(self.height),
        );
        let stride = (right - left) as usize;
        if output.len() != stride * (bottom - top) as usize * 2 {
            return None;
        }
        let columns_shown = left.div_ceil(self.thinning)..right.div_ceil(self.thinning);
        let rows_shown = top.div_ceil(self.thinning)..bottom.div_ceil(self.thinning);
        let mut rgba = Vec::with_capacity(columns_shown.len() * rows_shown.len() * 4);
        for y in rows_shown.clone() {
            for x in columns_shown.clone() {
                let at =
                    ((y * self.thinning - top) as usize * stride + (x * self.thinning - left) as usize) * 2;
                let iterations = u16::from_le_bytes([output[at], output[at + 1]]);
                let [red, green, blue] = palette.colour(iterations, self.iterations_max);
                rgba.extend([red, green, blue, 255]);
            }
        }
        let (width, height) = (
            columns_shown.len().try_into().ok()?,
            rows_shown.len().try_into().ok()?,
        );
        (!rgba.is_empty()).then_some(Patch {
            x: columns_shown.start,
            y: rows_shown.start,
            width,
            height,
            rgba,
        })
    }
}

/// The bytes of base64 with padding (RFC 4648, section 4); `None` where it is not.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0u32;
        for digit in group {
            bits = bits << 6 | sextet(*digit)?;
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

fn sextet(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layout(width: u32, height: u32, tile: u32) -> Layout {
        let params = json!({"width": width, "height": height, "tile": tile, "iterations_max": 100});
        Layout::of_params(&params).unwrap()
    }

    fn tile(pixels: usize, iterations: u16) -> Vec<u8> {
        iterations.to_le_bytes().repeat(pixels)
    }

    #[test]
    fn edge_tiles_are_smaller_and_lie_where_they_belong() {
        let layout = layout(10, 7, 4);
        assert_eq!(layout.tiles(), 6);
        let palette = Palette::default();
        let last = layout.patch(5, &tile(6, 3), &palette).unwrap();
        assert_eq!(
            (last.x, last.y, last.width, last.height, last.rgba.len()),
            (8, 4, 2, 3, 24)
        );
        assert_eq!(layout.patch(6, &tile(16, 3), &palette), None, "no such tile");
        assert_eq!(
            layout.patch(0, &tile(15, 3), &palette),
            None,
            "not a tile's output"
        );
    }

    #[test]
    fn a_thinned_picture_is_covered_exactly_once() {
        let side = CANVAS_SIDE_MAX * 3 - 1;
        let layout = layout(side, 50, 33);
        let (width, height) = layout.canvas();
        assert_eq!((width, height), (CANVAS_SIDE_MAX, 17));
        let mut painted = vec![0u8; (width * height) as usize];
        let palette = Palette::default();
        for item in 0..layout.tiles() {
            let columns = side.div_ceil(33);
            let (column, row) = (
                u32::try_from(item).unwrap() % columns,
                u32::try_from(item).unwrap() / columns,
            );
            let (w, h) = ((side - column * 33).min(33), (50 - row * 33).min(33));
            let patch = layout.patch(item, &tile((w * h) as usize, 1), &palette).unwrap();
            for y in patch.y..patch.y + patch.height {
                for x in patch.x..patch.x + patch.width {
                    painted[(y * width + x) as usize] += 1;
                }
            }
        }
        assert!(painted.iter().all(|times| *times == 1));
    }

    #[test]
    fn parameters_that_describe_no_picture() {
        assert_eq!(
            Layout::of_params(&json!({"width": 0, "height": 1, "tile": 1, "iterations_max": 1})),
            None
        );
        assert_eq!(Layout::of_params(&json!({"width": 5})), None);
        assert_eq!(Layout::of(&Entry::default(), &Value::Null), None);
    }

    #[test]
    fn base64_of_rfc_4648() {
        let cases = [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmFy", "foobar"),
        ];
        for (text, bytes) in cases {
            assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for wrong in ["Zg", "Zg=", "Z===", "Z!==", "Zm9vYg=a"] {
            assert_eq!(base64(wrong), None, "{wrong}");
        }
    }
}
