//! Pictures from tiles of counts: put together, coloured, smoothed, written as PNG.
//!
//! Colours run through Oklab (Ottosson 2020), in which equal steps look equally far apart, and counts
//! are spread over them by rank, so that every part of the picture has contrast. Points that never
//! escape are almost black. Two by two pixels become one, averaged in linear light.
use anyhow::Context as _;
use serde_json::Value;
use std::io::BufWriter;
use std::path::Path;

/// Largest picture that is put together in memory, in pixels.
const PIXELS_MAX: u64 = 1 << 28;

/// The size of a picture and of its tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) tile: u32,
    /// The count of a point that never escapes.
    pub(crate) inside: u16,
}

impl Size {
    /// As a job's parameters say.
    pub(crate) fn of(params: &Value) -> Option<Self> {
        let number = |name: &str| {
            params
                .get(name)?
                .as_u64()
                .and_then(|value| u32::try_from(value).ok())
        };
        let inside = number("iterations_max")?.min(u32::from(u16::MAX));
        let (width, height, tile) = (number("width")?, number("height")?, number("tile")?);
        let fits = tile > 0 && u64::from(width) * u64::from(height) <= PIXELS_MAX;
        fits.then_some(Self {
            width,
            height,
            tile,
            inside: u16::try_from(inside).ok()?,
        })
    }

    /// How many tiles there are.
    pub(crate) fn tiles(self) -> u64 {
        let tile = self.tile.max(1);
        u64::from(self.width.div_ceil(tile)) * u64::from(self.height.div_ceil(tile))
    }
}

/// A picture that grows tile by tile.
pub(crate) struct Canvas {
    size: Size,
    counts: Vec<u16>,
}

impl Canvas {
    pub(crate) fn new(size: Size) -> Self {
        Self {
            size,
            counts: vec![size.inside; size.width as usize * size.height as usize],
        }
    }

    /// The counts, row by row.
    pub(crate) fn counts(&self) -> &[u16] {
        &self.counts
    }

    /// Puts tile `number`, little-endian counts row by row, where it belongs.
    pub(crate) fn put(&mut self, number: u64, bytes: &[u8]) -> anyhow::Result<()> {
        let Size {
            width, height, tile, ..
        } = self.size;
        anyhow::ensure!(
            number < self.size.tiles(),
            "tile {number} lies outside the picture"
        );
        let columns = u64::from(width.div_ceil(tile));
        // Below the number of tiles, so both fit.
        let (column, row) = ((number % columns) as u32, (number / columns) as u32);
        let (x, y) = (column * tile, row * tile);
        let (wide, high) = (tile.min(width - x), tile.min(height - y));
        let wanted = wide as usize * high as usize * 2;
        anyhow::ensure!(
            bytes.len() == wanted,
            "tile {number} has {} bytes, not {wanted}",
            bytes.len()
        );
        for (line, y) in bytes.chunks_exact(wide as usize * 2).zip(y..) {
            let start = y as usize * width as usize + x as usize;
            let counts = line
                .chunks_exact(2)
                .map(|two| u16::from_le_bytes([two[0], two[1]]));
            for (pixel, count) in self.counts[start..].iter_mut().zip(counts) {
                *pixel = count;
            }
        }
        Ok(())
    }

    /// Writes the picture, of half the width and height where it is large enough for that.
    pub(crate) fn write_png(&self, path: &Path) -> anyhow::Result<()> {
        let (width, height, pixels) = self.colours();
        let told = || format!("the picture {} cannot be written", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(told)?;
        }
        let file = BufWriter::new(std::fs::File::create(path).with_context(told)?);
        let mut encoder = png::Encoder::new(file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        let mut writer = encoder.write_header().with_context(told)?;
        writer.write_image_data(&pixels).with_context(told)?;
        writer.finish().with_context(told)
    }

    /// Width, height, and red, green and blue of every pixel.
    fn colours(&self) -> (u32, u32, Vec<u8>) {
        let palette = palette(&self.counts, self.size.inside);
        let side = if self.size.width >= 2 && self.size.height >= 2 {
            2
        } else {
            1
        };
        let (width, height) = (self.size.width / side, self.size.height / side);
        let mut pixels = Vec::with_capacity(width as usize * height as usize * 3);
        for y in 0..height {
            for x in 0..width {
                let colour = self.average(&palette, (x * side, y * side), side);
                pixels.extend(colour.map(from_linear));
            }
        }
        (width, height, pixels)
    }

    fn average(&self, palette: &[[f32; 3]], (x, y): (u32, u32), side: u32) -> [f32; 3] {
        let mut sum = [0.0; 3];
        for y in y..y + side {
            for x in x..x + side {
                let count = self.counts[y as usize * self.size.width as usize + x as usize];
                for (sum, part) in sum.iter_mut().zip(palette[usize::from(count)]) {
                    *sum += part;
                }
            }
        }
        sum.map(|sum| sum / (side * side) as f32)
    }
}

/// Stops of the gradient: lightness, and the two axes of colour, in Oklab.
const STOPS: [[f32; 3]; 8] = [
    [0.20, -0.005, -0.075],
    [0.36, -0.020, -0.125],
    [0.56, -0.045, -0.105],
    [0.78, -0.055, -0.020],
    [0.94, 0.000, 0.045],
    [0.80, 0.050, 0.125],
    [0.58, 0.120, 0.085],
    [0.30, 0.085, 0.000],
];
/// How often the gradient is run through.
const ROUNDS: f32 = 2.0;
const INSIDE: [f32; 3] = [0.10, 0.0, -0.02];

/// A colour, in linear light, for every count that occurs.
fn palette(counts: &[u16], inside: u16) -> Vec<[f32; 3]> {
    let mut often = vec![0u32; usize::from(u16::MAX) + 1];
    let escaped = counts.iter().filter(|&&count| count != inside);
    let total = escaped.clone().count().max(1) as f32;
    for &count in escaped {
        often[usize::from(count)] += 1;
    }
    let mut before = 0;
    let mut colour = |often: &u32| {
        let rank = (before as f32 + *often as f32 / 2.0) / total;
        before += often;
        linear(gradient(rank))
    };
    let mut palette: Vec<_> = often.iter().map(&mut colour).collect();
    palette[usize::from(inside)] = linear(INSIDE);
    palette
}

/// The colour at `place` (0 to 1), in Oklab. It runs back and forth, so there is no seam.
fn gradient(place: f32) -> [f32; 3] {
    let phase = (place * ROUNDS).rem_euclid(2.0);
    let place = if phase > 1.0 { 2.0 - phase } else { phase } * (STOPS.len() - 1) as f32;
    let at = (place as usize).min(STOPS.len() - 2);
    let part = place - at as f32;
    let eased = part * part * (3.0 - 2.0 * part);
    std::array::from_fn(|axis| STOPS[at][axis] + (STOPS[at + 1][axis] - STOPS[at][axis]) * eased)
}

/// Oklab to linear sRGB (<https://bottosson.github.io/posts/oklab/>).
fn linear([lightness, a, b]: [f32; 3]) -> [f32; 3] {
    let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
}

/// A part in linear light as a byte of sRGB (IEC 61966-2-1).
fn from_linear(part: f32) -> u8 {
    let part = part.clamp(0.0, 1.0);
    let curved = if part <= 0.003_130_8 {
        part * 12.92
    } else {
        1.055 * part.powf(1.0 / 2.4) - 0.055
    };
    (curved * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_lie_where_they_belong_also_at_the_edges() {
        let size = Size {
            width: 5,
            height: 3,
            tile: 2,
            inside: 9,
        };
        let mut canvas = Canvas::new(size);
        assert_eq!(size.tiles(), 6);
        canvas.put(2, &[1, 0, 2, 0]).unwrap();
        canvas.put(3, &[3, 0, 4, 1]).unwrap();
        assert_eq!(canvas.counts(), [9, 9, 9, 9, 1, 9, 9, 9, 9, 2, 3, 260, 9, 9, 9]);
        assert!(canvas.put(6, &[]).is_err() && canvas.put(0, &[1]).is_err());
    }

    #[test]
    fn white_and_black_survive_the_colour_space() {
        assert_eq!(linear([1.0, 0.0, 0.0]).map(from_linear), [255; 3]);
        assert_eq!(linear([0.0; 3]).map(from_linear), [0; 3]);
    }
}
