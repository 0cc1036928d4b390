//! Tiles of an escape-time picture of the Mandelbrot set.
//!
//! The picture is `width` by `height` pixels, cut into square tiles, counted row by row from the top
//! left; the tiles at the right and the bottom edge may be smaller. The centre of pixel (x, y) is
//!
//! ```text
//! step = span / width
//! c = center_x + (x + 0.5 - width / 2) · step  +  i (center_y - (y + 0.5 - height / 2) · step)
//! ```
//!
//! and its count is the first n with |z_n|² > 4, where z_0 = 0 and z_(n+1) = z_n² + c, or
//! `iterations_max` when there is none below that. Every operation is a plain f64 operation in the
//! order written in [`escape_count`], so the counts are the same everywhere.
mod group;

use elytra_kernel::{Bytes, Params, kernel};
use group::Group;

/// Pixels computed together.
const GROUP: usize = 4;
/// How often a group looks whether all of it has escaped.
const STEPS_PER_CHECK: u32 = 8;
/// Points this far inside the main cardioid or the disc of period 2 stay bounded in spite of rounding.
const INSIDE_MARGIN: f64 = 1e-6;

/// The picture.
#[derive(Params)]
pub struct View {
    /// Width of the picture in pixels.
    #[param(default = 1024, min = 1, max = 65536)]
    pub width: u32,
    /// Height of the picture in pixels.
    #[param(default = 1024, min = 1, max = 65536)]
    pub height: u32,
    /// Real part of the point in the middle.
    #[param(default = -0.5, min = -4, max = 4)]
    pub center_x: f64,
    /// Imaginary part of the point in the middle; up is positive.
    #[param(default = 0.0, min = -4, max = 4)]
    pub center_y: f64,
    /// Width of the view in the complex plane.
    #[param(default = 3.0, min = 1e-15, max = 100)]
    pub span: f64,
    /// Steps after which a point counts as inside.
    #[param(default = 1000, min = 1, max = 65535)]
    pub iterations_max: u32,
    /// Side of a tile in pixels.
    #[param(default = 64, min = 1, max = 1024)]
    pub tile: u32,
}

/// The escape counts of one tile, row by row, each an unsigned 16-bit number, little-endian.
#[kernel(
    title = "Mandelbrot picture",
    item = "tile number, row by row from the top left",
    item_min = 0,
    picture = "tiles"
)]
pub fn mandelbrot(item: u32, params: &View) -> Result<Bytes, String> {
    let area = params.area(item)?;
    let mut out = Vec::with_capacity(area.width as usize * area.height as usize * 2);
    for y in area.y..area.y + area.height {
        let ci = params.center_y - (f64::from(y) + 0.5 - f64::from(params.height) / 2.0) * params.step();
        row(params, &area, ci, &mut out);
    }
    Ok(Bytes(out))
}

/// Where a tile lies, in pixels.
struct Area {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

impl View {
    fn step(&self) -> f64 {
        self.span / f64::from(self.width)
    }

    fn area(&self, tile: u32) -> Result<Area, String> {
        let columns = self.width.div_ceil(self.tile);
        let rows = self.height.div_ceil(self.tile);
        let count = u64::from(columns) * u64::from(rows);
        if u64::from(tile) >= count {
            return Err(format!(
                "tile {tile} does not exist: the picture has {count} tiles, counted from 0"
            ));
        }
        let (x, y) = (tile % columns * self.tile, tile / columns * self.tile);
        Ok(Area {
            x,
            y,
            width: self.tile.min(self.width - x),
            height: self.tile.min(self.height - y),
        })
    }
}

#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn row(view: &View, area: &Area, ci: f64, out: &mut Vec<u8>) {
    let mut x = area.x;
    let end = area.x + area.width;
    while x < end {
        let mut cr = [0.0; GROUP];
        for (value, at) in cr.iter_mut().zip(x..) {
            *value = view.center_x + (f64::from(at) + 0.5 - f64::from(view.width) / 2.0) * view.step();
        }
        let counts = group(cr, ci, view.iterations_max);
        let wanted = (end - x).min(GROUP as u32);
        for count in &counts[..wanted as usize] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        x += wanted;
    }
}

/// The counts of four neighbours.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
#[inline]
fn group(cr: [f64; GROUP], ci: f64, iterations_max: u32) -> [u16; GROUP] {
    let inside = u16::try_from(iterations_max).unwrap_or(u16::MAX);
    if cr.iter().all(|&cr| is_surely_inside(cr, ci)) {
        return [inside; GROUP];
    }
    let mut group = Group::new(cr, ci);
    let mut done = 0;
    while done < iterations_max && group.is_active() {
        let steps = STEPS_PER_CHECK.min(iterations_max - done);
        for _ in 0..steps / 2 {
            group.advance();
            group.advance();
        }
        if steps % 2 == 1 {
            group.advance();
        }
        done += steps;
    }
    // No count is above `iterations_max`, which is below 65,536.
    group
        .counts()
        .map(|count| u16::try_from(count).unwrap_or(u16::MAX))
}

/// Whether a point lies well inside the main cardioid or the disc of period 2, where no orbit escapes.
fn is_surely_inside(cr: f64, ci: f64) -> bool {
    let ci2 = ci * ci;
    let left = cr - 0.25;
    let q = left * left + ci2;
    let cardioid = q * (q + left) < 0.25 * ci2 - INSIDE_MARGIN;
    let disc = (cr + 1.0) * (cr + 1.0) + ci2 < 0.0625 - INSIDE_MARGIN;
    cardioid || disc
}

/// The count of one point, said as plainly as possible: what [`mandelbrot`] must agree with.
pub fn escape_count(cr: f64, ci: f64, iterations_max: u32) -> u32 {
    let (mut zr, mut zi) = (0.0, 0.0);
    for n in 0..iterations_max {
        let (rr, ii) = (zr * zr, zi * zi);
        if rr + ii > 4.0 {
            return n;
        }
        let ri: f64 = zr * zi;
        zi = ri + ri + ci;
        zr = rr - ii + cr;
    }
    iterations_max
}
