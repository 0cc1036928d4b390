//! What is to be seen, and the chance that looks at it.
use crate::vector::Vector;

pub(crate) struct Ray {
    pub(crate) origin: Vector,
    /// Of length 1.
    pub(crate) direction: Vector,
}

pub(crate) enum Surface {
    /// Shines, and needs no light.
    Light(Vector),
    /// Sends light anywhere.
    Matt,
    /// Sends it back; the more blur, the duller.
    Mirror { blur: f64 },
}

pub(crate) struct Sphere {
    pub(crate) center: Vector,
    pub(crate) radius: f64,
    pub(crate) color: Vector,
    pub(crate) surface: Surface,
}

const fn sphere(center: Vector, radius: f64, color: Vector, surface: Surface) -> Sphere {
    Sphere {
        center,
        radius,
        color,
        surface,
    }
}

const WHITE: Vector = Vector::new(0.8, 0.8, 0.8);

/// A floor, three balls and a lamp.
pub(crate) static SCENE: [Sphere; 5] = [
    sphere(Vector::new(0.0, -1000.5, 0.0), 1000.0, WHITE, Surface::Matt),
    sphere(
        Vector::new(-1.1, 0.0, -0.3),
        0.5,
        Vector::new(0.85, 0.3, 0.25),
        Surface::Matt,
    ),
    sphere(
        Vector::new(0.0, 0.1, -0.9),
        0.6,
        Vector::new(0.95, 0.95, 0.95),
        Surface::Mirror { blur: 0.0 },
    ),
    sphere(
        Vector::new(1.1, 0.0, -0.3),
        0.5,
        Vector::new(0.85, 0.7, 0.3),
        Surface::Mirror { blur: 0.25 },
    ),
    sphere(
        Vector::new(-0.6, 3.0, 0.8),
        1.2,
        WHITE,
        Surface::Light(Vector::new(3.0, 2.8, 2.5)),
    ),
];

impl Sphere {
    /// How far along the ray it is met first, in front of the origin.
    pub(crate) fn hit(&self, ray: &Ray) -> Option<f64> {
        let to = ray.origin - self.center;
        let half = to.dot(ray.direction);
        let rest = half * half - to.dot(to) + self.radius * self.radius;
        if rest < 0.0 {
            return None;
        }
        let root = rest.sqrt();
        let (near, far) = (-half - root, -half + root);
        let distance = if near > 1e-6 { near } else { far };
        (distance > 1e-6).then_some(distance)
    }
}

/// Chance that begins anew with every row: SplitMix64 (Steele, Lea, Flood, 2014).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64, row: u32) -> Self {
        Self(seed ^ u64::from(row).wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A direction, each as likely as the others: a place in the unit ball, moved to its surface.
    pub(crate) fn direction(&mut self) -> Vector {
        loop {
            let place = Vector::new(self.unit(), self.unit(), self.unit()) * 2.0 - Vector::new(1.0, 1.0, 1.0);
            let square = place.dot(place);
            if (1e-6..=1.0).contains(&square) {
                return place.unit();
            }
        }
    }
}
