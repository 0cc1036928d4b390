//! The colours of an escape-time picture: a closed ring in OKLab, so that equal steps look equally far
//! (B. Ottosson, "A perceptual color space for image processing", 2020).

/// Colours in one turn of the ring.
const RING: usize = 1_024;
/// Square roots of iterations in one turn: low counts spread widely, high ones do not flicker.
const TURN: f64 = 9.0;
/// Where on the ring a count of 0 begins: in the dark, so that the far outside stays calm.
const OFFSET: f64 = 0.02;
/// What never escapes.
const INSIDE: [u8; 3] = [9, 14, 17];
/// Stations of the ring as OKLab lightness, chroma and hue in degrees: night, wing green, pale light,
/// gold, copper, and back to the night.
const STATIONS: [(f64, f64, f64); 6] = [
    (0.22, 0.060, 255.0),
    (0.46, 0.090, 195.0),
    (0.74, 0.120, 165.0),
    (0.95, 0.060, 110.0),
    (0.78, 0.140, 78.0),
    (0.45, 0.130, 35.0),
];

/// Colours by number of iterations.
#[derive(Clone, Debug)]
pub struct Palette {
    ring: Vec<[u8; 3]>,
}

impl Default for Palette {
    fn default() -> Self {
        Self {
            ring: (0..RING).map(|at| ring_colour(at as f64 / RING as f64)).collect(),
        }
    }
}

impl Palette {
    /// The colour of a point that escaped after `iterations` of at most `iterations_max`.
    pub fn colour(&self, iterations: u16, iterations_max: u16) -> [u8; 3] {
        if iterations >= iterations_max {
            return INSIDE;
        }
        let turn = (f64::from(iterations).sqrt() / TURN + OFFSET).fract();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to RING - 1"
        )]
        let at = (turn * RING as f64) as usize;
        self.ring[at.min(RING - 1)]
    }
}

fn ring_colour(turn: f64) -> [u8; 3] {
    let place = turn * STATIONS.len() as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to the number of stations"
    )]
    let from = place as usize % STATIONS.len();
    let to = (from + 1) % STATIONS.len();
    // Smoothstep: the ring has no corners.
    let t = place.fract();
    let t = t * t * (3.0 - 2.0 * t);
    let (a, b) = (lab(STATIONS[from]), lab(STATIONS[to]));
    srgb([0, 1, 2].map(|axis| a[axis] + (b[axis] - a[axis]) * t))
}

fn lab((lightness, chroma, hue): (f64, f64, f64)) -> [f64; 3] {
    let (sin, cos) = hue.to_radians().sin_cos();
    [lightness, chroma * cos, chroma * sin]
}

/// OKLab to 8-bit sRGB.
fn srgb([l, a, b]: [f64; 3]) -> [u8; 3] {
    let long = (l + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let medium = (l - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (l - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let linear = [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701_0 * short,
    ];
    linear.map(gamma)
}

fn gamma(linear: f64) -> u8 {
    let value = if linear <= 0.003_130_8 {
        12.92 * linear
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0 to 255"
    )]
    let byte = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours() {
        assert_eq!(srgb([1.0, 0.0, 0.0]), [255, 255, 255]);
        assert_eq!(srgb([0.0, 0.0, 0.0]), [0, 0, 0]);
        // Ottosson's example: OKLab of sRGB red.
        assert_eq!(srgb([0.627_955, 0.224_863, 0.125_846]), [255, 0, 0]);
    }

    #[test]
    fn inside_is_one_colour_and_neighbours_on_the_ring_are_close() {
        let palette = Palette::default();
        assert_eq!(palette.colour(1_000, 1_000), INSIDE);
        assert_ne!(palette.colour(999, 1_000), INSIDE);
        for at in 0..RING {
            let (a, b) = (palette.ring[at], palette.ring[(at + 1) % RING]);
            let far = (0..3).map(|c| a[c].abs_diff(b[c])).max().unwrap();
            assert!(far <= 4, "a corner at {at}: {a:?} {b:?}");
        }
    }
}
