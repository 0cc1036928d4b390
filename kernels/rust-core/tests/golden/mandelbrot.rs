//! Known escape times, the known area, and every pixel against the plainest way to say it.
use super::over_range;
use rust_core::mandelbrot::{MANDELBROT, escape_count};
use serde_json::{Value, json};

fn counts(tile: &[u8]) -> Vec<u32> {
    tile.chunks(2)
        .map(|pair| u32::from(u16::from_le_bytes([pair[0], pair[1]])))
        .collect()
}

/// Dave Boll's observation of 1991: 1/4 + ε escapes after about π / √ε steps (Klebanoff, "π in the
/// Mandelbrot set", Fractals 9, 2001, has the table).
#[test]
fn escape_times_at_the_cusp_spell_pi() {
    for (distance, steps) in [
        (1.0, 2),
        (0.1, 8),
        (0.01, 30),
        (1e-3, 97),
        (1e-4, 312),
        (1e-5, 991),
        (1e-6, 3140),
    ] {
        assert_eq!(
            escape_count(0.25 + distance, 0.0, 65535),
            steps,
            "distance {distance}"
        );
        let view = json!({"width": 1, "height": 1, "span": 1e-15, "center_x": 0.25 + distance, "iterations_max": 65535});
        let tiles = over_range(&MANDELBROT, &view, 0, 1).unwrap();
        assert_eq!(counts(&tiles[0]), [steps], "distance {distance}");
    }
}

/// The area of the set is 1.50659 (Förstemann 2017); so many steps overestimate it by about 1 %.
#[test]
fn the_area_is_right() {
    let view = json!({"width": 600, "height": 600, "center_x": -0.5, "span": 3.0, "iterations_max": 1000});
    let tiles = over_range(&MANDELBROT, &view, 0, 100).unwrap();
    let inside = tiles
        .iter()
        .flat_map(|tile| counts(tile))
        .filter(|&count| count == 1000)
        .count();
    let area = inside as f64 * (3.0 / 600.0_f64).powi(2);
    assert!((area - 1.50659).abs() < 0.015, "{area}");
}

#[test]
fn every_pixel_is_what_the_plain_loop_says() {
    let views = [
        json!({"width": 150, "height": 70, "iterations_max": 300}),
        json!({"width": 97, "height": 130, "tile": 33, "span": 0.01, "center_x": -0.7436, "center_y": 0.1318, "iterations_max": 2001}),
        json!({"width": 64, "height": 64, "span": 1e-13, "center_x": -1.25066, "center_y": 0.02012, "iterations_max": 5000}),
        json!({"width": 65, "height": 65, "span": 1e-4, "center_x": -0.75, "center_y": 0.0, "iterations_max": 3000}),
    ];
    for view in views {
        check_every_pixel(&view);
    }
}

fn check_every_pixel(view: &Value) {
    let number = |name: &str, default: f64| view[name].as_f64().unwrap_or(default);
    let (width, height, tile) = (number("width", 0.0), number("height", 0.0), number("tile", 64.0));
    let step = number("span", 3.0) / width;
    let (columns, rows) = ((width / tile).ceil() as u32, (height / tile).ceil() as u32);
    let tiles = over_range(&MANDELBROT, view, 0, columns * rows).unwrap();
    for (at, bytes) in (0..).zip(&tiles) {
        let (left, top) = (f64::from(at % columns) * tile, f64::from(at / columns) * tile);
        let (wide, high) = (tile.min(width - left) as u32, tile.min(height - top) as u32);
        let counts = counts(bytes);
        assert_eq!(counts.len(), (wide * high) as usize, "tile {at}");
        for (pixel, &count) in (0..).zip(&counts) {
            let (x, y) = (left + f64::from(pixel % wide), top + f64::from(pixel / wide));
            let cr = number("center_x", -0.5) + (x + 0.5 - width / 2.0) * step;
            let ci = number("center_y", 0.0) - (y + 0.5 - height / 2.0) * step;
            assert_eq!(
                count,
                escape_count(cr, ci, number("iterations_max", 0.0) as u32),
                "({x}, {y}) of {view}"
            );
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let refused = |view: Value, item| over_range(&MANDELBROT, &view, item, 1).unwrap_err();
    assert!(refused(json!({"width": 0}), 0).contains("parameter `width`: 0 is below 1"));
    assert!(refused(json!({"widht": 5}), 0).contains("parameter `widht` is not known"));
    assert!(refused(json!({"span": "wide"}), 0).contains("parameter `span`"));
    assert!(refused(json!({}), 256).contains("tile 256 does not exist: the picture has 256 tiles"));
    assert!(refused(json!({}), -1).contains("the item cannot be read"));
}
