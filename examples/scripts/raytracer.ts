// A ray tracer: an item is a frame, in which the camera stands at that many degrees around the scene. The
// output is a list of grey values from 0 to 255, row by row.

type Vector = readonly [number, number, number];

interface Sphere {
  center: Vector;
  radius: number;
  mirror: number;
}

interface Params {
  width?: number;
  height?: number;
}

const SPHERES: readonly Sphere[] = [
  { center: [0, -1000, 0], radius: 1000, mirror: 0 },
  { center: [0, 1, 0], radius: 1, mirror: 0.5 },
  { center: [-2.2, 0.7, 0.8], radius: 0.7, mirror: 0.2 },
  { center: [2, 0.6, 1], radius: 0.6, mirror: 0.7 },
];
const BOUNCES_MAX = 3;
/** A ray that starts on a surface must not hit it again at once. */
const NEAR = 1e-4;

const plus = (a: Vector, b: Vector, k = 1): Vector => [a[0] + b[0] * k, a[1] + b[1] * k, a[2] + b[2] * k];
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
function unit(a: Vector): Vector {
  const length = Math.sqrt(dot(a, a));
  return [a[0] / length, a[1] / length, a[2] / length];
}

const LIGHT = unit([1, 2, 1.5]);

/** Distance to the sphere along the ray, or Infinity. */
function distance(from: Vector, to: Vector, { center, radius }: Sphere): number {
  const offset = plus(from, center, -1);
  const half = dot(offset, to);
  const square = half * half - dot(offset, offset) + radius * radius;
  if (square < 0) return Infinity;
  const root = Math.sqrt(square);
  const near = -half - root;
  if (near > NEAR) return near;
  return -half + root > NEAR ? -half + root : Infinity;
}

function nearest(from: Vector, to: Vector): { sphere: Sphere; at: number } | null {
  let found: { sphere: Sphere; at: number } | null = null;
  for (const sphere of SPHERES) {
    const at = distance(from, to, sphere);
    if (at < (found?.at ?? Infinity)) found = { sphere, at };
  }
  return found;
}

/** Brightness from 0 to 1. */
function shade(from: Vector, to: Vector, bounces: number): number {
  const hit = nearest(from, to);
  if (!hit) return 0.4 + 0.6 * Math.max(0, to[1]);
  const point = plus(from, to, hit.at);
  const normal = unit(plus(point, hit.sphere.center, -1));
  const lit = nearest(point, LIGHT) ? 0 : Math.max(0, dot(normal, LIGHT));
  const own = 0.1 + 0.9 * lit;
  const { mirror } = hit.sphere;
  if (mirror === 0 || bounces === 0) return own;
  const back = plus(to, normal, -2 * dot(to, normal));
  return own * (1 - mirror) + mirror * shade(point, unit(back), bounces - 1);
}

/** One frame: the camera's angle is the item in degrees. */
export function frame(degrees: number, { width = 64, height = 48 }: Params = {}): number[] {
  const angle = (degrees * Math.PI) / 180;
  const eye: Vector = [6 * Math.sin(angle), 2.2, 6 * Math.cos(angle)];
  const ahead = unit(plus([0, 0.8, 0], eye, -1));
  const right = unit([-ahead[2], 0, ahead[0]]);
  const up: Vector = [
    right[1] * ahead[2] - right[2] * ahead[1],
    right[2] * ahead[0] - right[0] * ahead[2],
    right[0] * ahead[1] - right[1] * ahead[0],
  ];
  const pixels: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const across = (x + 0.5 - width / 2) / height;
      const above = (height / 2 - y - 0.5) / height;
      const ray = unit(plus(plus(ahead, right, across), up, above));
      pixels.push(Math.round(255 * Math.min(1, shade(eye, ray, BOUNCES_MAX))));
    }
  }
  return pixels;
}
