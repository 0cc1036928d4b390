//! A small picture of what a view of the Mandelbrot set will show, before the job is submitted.
use super::palette::Palette;
use serde_json::Value;

/// Steps of the preview: enough to see where one is, few enough to take some milliseconds.
const ITERATIONS_MAX: u16 = 300;

/// A place worth a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// What people call it.
    pub name: &'static str,
    /// Real part of its middle.
    pub center_x: f64,
    /// Imaginary part of its middle.
    pub center_y: f64,
    /// Width of the view.
    pub span: f64,
}

/// Places to begin with.
pub const PLACES: [Place; 6] = [
    Place {
        name: "Full set",
        center_x: -0.65,
        center_y: 0.0,
        span: 3.2,
    },
    Place {
        name: "Seahorse valley",
        center_x: -0.7453,
        center_y: 0.1127,
        span: 0.0065,
    },
    Place {
        name: "Elephant valley",
        center_x: 0.2815,
        center_y: 0.0085,
        span: 0.03,
    },
    Place {
        name: "Triple spiral",
        center_x: -0.0885,
        center_y: 0.6545,
        span: 0.025,
    },
    Place {
        name: "Mini set",
        center_x: -1.7687,
        center_y: 0.0017,
        span: 0.06,
    },
    Place {
        name: "Lightning",
        center_x: -1.3150,
        center_y: 0.0735,
        span: 0.035,
    },
];

/// Whether parameters look like a view of the Mandelbrot set, and which.
pub fn view_of(params: &Value) -> Option<(f64, f64, f64)> {
    let number = |name: &str| params.get(name)?.as_f64();
    Some((number("center_x")?, number("center_y")?, number("span")?))
}

/// The view as opaque RGBA pixels, row by row.
pub fn preview(
    (center_x, center_y, span): (f64, f64, f64),
    width: u32,
    height: u32,
    palette: &Palette,
) -> Vec<u8> {
    let step = span / f64::from(width);
    let mut rgba = Vec::with_capacity((width * height * 4) as usize);
    for y in 0..height {
        let ci = center_y - (f64::from(y) + 0.5 - f64::from(height) / 2.0) * step;
        for x in 0..width {
            let cr = center_x + (f64::from(x) + 0.5 - f64::from(width) / 2.0) * step;
            let [red, green, blue] = palette.colour(escape(cr, ci), ITERATIONS_MAX);
            rgba.extend([red, green, blue, 255]);
        }
    }
    rgba
}

fn escape(cr: f64, ci: f64) -> u16 {
    let (mut x, mut y) = (0.0f64, 0.0f64);
    for n in 0..ITERATIONS_MAX {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return n;
        }
        y = 2.0 * x * y + ci;
        x = xx - yy + cr;
    }
    ITERATIONS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_points() {
        assert_eq!([escape(0.0, 0.0), escape(-1.0, 0.0)], [ITERATIONS_MAX; 2]);
        assert_eq!([escape(3.0, 0.0), escape(1.0, 0.0)], [1, 3]);
    }

    #[test]
    fn every_place_shows_an_edge_of_the_set() {
        let palette = Palette::default();
        for place in PLACES {
            let rgba = preview((place.center_x, place.center_y, place.span), 48, 32, &palette);
            let mut colours: Vec<&[u8]> = rgba.chunks(4).collect();
            colours.sort_unstable();
            colours.dedup();
            assert!(
                colours.len() > 12,
                "{} is dull: {} colours",
                place.name,
                colours.len()
            );
        }
    }

    #[test]
    fn parameters_that_are_no_view() {
        assert_eq!(
            view_of(&json!({"center_x": 1, "center_y": 2, "span": 3.5})),
            Some((1.0, 2.0, 3.5))
        );
        assert_eq!(view_of(&json!({"exponent": 7})), None);
    }
}
