//! A path tracer: an item is a row of the picture, its output the row's pixels as bytes (red, green, blue).
//!
//! Light is followed backwards from the eye, bouncing at random off spheres until it leaves for the sky (Kajiya,
//! The Rendering Equation, 1986). All chance comes from the row and the seed, and the only function used beside
//! the four operations is the square root, which every machine rounds alike: the picture has the same bytes in
//! a tab, on a server and natively.
mod scene;
mod vector;

use elytra_kernel::{Bytes, Params, kernel};
use scene::{Chance, Ray, SCENE, Sphere, Surface};
use vector::Vector;

/// The picture.
#[derive(Params)]
pub struct Picture {
    /// Its width in pixels.
    #[param(default = 300, min = 8, max = 4096)]
    pub width: u32,
    /// Its height in pixels; items are its rows, from 0 at the top.
    #[param(default = 300, min = 8, max = 4096)]
    pub height: u32,
    /// Paths for each pixel: their number's root is how much less it sparkles.
    #[param(default = 16, min = 1, max = 4096)]
    pub samples: u32,
    /// How often a path bounces at most.
    #[param(default = 6, min = 1, max = 64)]
    pub bounces: u32,
    /// Where chance begins.
    #[param(default = 1, min = 0)]
    pub seed: u64,
}

/// A row of the picture.
#[kernel(title = "Path tracer", item = "a row, from 0 on", item_min = 0)]
pub fn row(item: u32, picture: &Picture) -> Result<Bytes, String> {
    if item >= picture.height {
        return Err(format!("the picture has rows 0 to {}", picture.height - 1));
    }
    let mut chance = Chance::new(picture.seed, item);
    let pixels = (0..picture.width).flat_map(|column| pixel(column, item, picture, &mut chance));
    Ok(Bytes(pixels.collect()))
}

/// The mean of its samples, with the gamma of 2 that square roots can do.
fn pixel(column: u32, row: u32, picture: &Picture, chance: &mut Chance) -> [u8; 3] {
    let mut light = Vector::ZERO;
    for _ in 0..picture.samples {
        light = light + trace(eye(column, row, picture, chance), picture.bounces, chance);
    }
    let mean = light * (1.0 / f64::from(picture.samples));
    [mean.x, mean.y, mean.z].map(|part| (part.clamp(0.0, 1.0).sqrt() * 255.0 + 0.5) as u8)
}

/// A ray from the eye through a random place in the pixel.
fn eye(column: u32, row: u32, picture: &Picture, chance: &mut Chance) -> Ray {
    let (width, height) = (f64::from(picture.width), f64::from(picture.height));
    let x = (f64::from(column) + chance.unit()) / width - 0.5;
    let y = 0.5 - (f64::from(row) + chance.unit()) / height;
    let direction = Vector::new(x * width / height, y, -1.0);
    Ray {
        origin: Vector::new(0.0, 0.6, 3.2),
        direction: direction.unit(),
    }
}

/// The light that comes along a ray.
fn trace(mut ray: Ray, bounces: u32, chance: &mut Chance) -> Vector {
    let mut share = Vector::new(1.0, 1.0, 1.0);
    for _ in 0..=bounces {
        let Some((distance, sphere)) = nearest(&ray) else {
            return share.times(sky(ray.direction));
        };
        let place = ray.origin + ray.direction * distance;
        let normal = (place - sphere.center) * (1.0 / sphere.radius);
        let direction = match sphere.surface {
            Surface::Light(light) => return share.times(light),
            Surface::Matt => normal + chance.direction(),
            Surface::Mirror { blur } => ray.direction.mirrored(normal) + chance.direction() * blur,
        };
        share = share.times(sphere.color);
        ray = Ray {
            origin: place + normal * 1e-9,
            direction: direction.unit(),
        };
    }
    Vector::ZERO
}

fn nearest(ray: &Ray) -> Option<(f64, &'static Sphere)> {
    let hits = SCENE.iter().filter_map(|sphere| Some((sphere.hit(ray)?, sphere)));
    hits.min_by(|a, b| a.0.total_cmp(&b.0))
}

fn sky(direction: Vector) -> Vector {
    let up = 0.5 * (direction.y + 1.0);
    Vector::new(0.9, 0.9, 0.85) * (1.0 - up) + Vector::new(0.35, 0.55, 0.9) * up
}
