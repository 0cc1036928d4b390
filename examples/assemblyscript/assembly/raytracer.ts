// A frame of a turn round four balls: the scene and the rays of Gabriel Gambetta's Tiny Raytracer as Pando's example
// traces them, written anew. An item is a frame, its output the picture's bytes (red, green, blue), row by row.
// Vectors are plain numbers here: nothing is allocated on the way of a ray.
import { Shard, writeBytes } from "./elytra";

/** As far as light goes; also the radius of the ground. */
const FAR: f64 = 300;
/** A ray that leaves a surface must not hit it again at once. */
const NEAR: f64 = 1 / FAR;
const AMBIENT: f64 = 2;
const LAMP: f64 = 8;
const LAMP_X: f64 = 2;
const LAMP_Y: f64 = 2;
const LAMP_Z: f64 = 0;
/** Mirrored rays that follow the first. */
const BOUNCES_MAX: i32 = 2;
/** Colours reach to 9 and light to 10; bytes reach to 255. */
const TO_BYTE: f64 = 2.8;

/** A ball: place, radius, colour, how sharply it shines, how much it mirrors. */
const BALL: i32 = 9;
const BALLS: StaticArray<f64> = [
  0, -FAR, 0, FAR, 9, 9, 0, 300, 2 / 9.0,
  0, 0, 3, 1, 9, 0, 0, 300, 3 / 9.0,
  -2, 1, 4, 1, 0, 9, 0, 9, 4 / 9.0,
  2, 1, 4, 1, 0, 0, 9, 300, 5 / 9.0,
];

let hit_at: f64 = 0;

@inline function trait(ball: i32, part: i32): f64 {
  return unchecked(BALLS[ball + part]);
}

/** The nearest ball along a ray, or -1; `hit_at` is how far away it is. */
function nearest(x: f64, y: f64, z: f64, dx: f64, dy: f64, dz: f64, least: f64, most: f64): i32 {
  let found = -1;
  hit_at = FAR;
  const a = 2 * (dx * dx + dy * dy + dz * dz);
  for (let ball = 0; ball < BALLS.length; ball += BALL) {
    const ox = x - trait(ball, 0);
    const oy = y - trait(ball, 1);
    const oz = z - trait(ball, 2);
    const radius = trait(ball, 3);
    const b = -2 * (ox * dx + oy * dy + oz * dz);
    const square = b * b - 2 * a * (ox * ox + oy * oy + oz * oz - radius * radius);
    if (!(square > 0)) continue;
    const root = Math.sqrt(square);
    const front = (b - root) / a;
    const back = (b + root) / a;
    if (least < front && front < most && front < hit_at) {
      found = ball;
      hit_at = front;
    }
    if (least < back && back < most && back < hit_at) {
      found = ball;
      hit_at = back;
    }
  }
  return found;
}

/** A power by squaring: the same bits on every machine. */
function power(base: f64, exponent: i32): f64 {
  let result: f64 = 1;
  for (let left = exponent; left > 0; left >>= 1) {
    if (left & 1) result *= base;
    base *= base;
  }
  return result;
}

let red: f64 = 0;
let green: f64 = 0;
let blue: f64 = 0;

/** What is seen along a ray, into `red`, `green` and `blue`. */
function trace(x: f64, y: f64, z: f64, dx: f64, dy: f64, dz: f64): void {
  red = green = blue = 0;
  let share: f64 = 1;
  let least: f64 = 1;
  for (let bounces = BOUNCES_MAX; ; bounces--) {
    const ball = nearest(x, y, z, dx, dy, dz, least, FAR);
    if (ball < 0) return;
    x += dx * hit_at;
    y += dy * hit_at;
    z += dz * hit_at;
    const nx = x - trait(ball, 0);
    const ny = y - trait(ball, 1);
    const nz = z - trait(ball, 2);
    const n = nx * nx + ny * ny + nz * nz;
    let light = AMBIENT;
    const lx = LAMP_X - x;
    const ly = LAMP_Y - y;
    const lz = LAMP_Z - z;
    if (nearest(x, y, z, lx, ly, lz, NEAR, 1) < 0) {
      const facing = nx * lx + ny * ly + nz * lz;
      const turn = (2 * facing) / n;
      const mx = lx - nx * turn;
      const my = ly - ny * turn;
      const mz = lz - nz * turn;
      const sizes = (mx * mx + my * my + mz * mz) * (dx * dx + dy * dy + dz * dz);
      const shine = power((mx * dx + my * dy + mz * dz) / Math.sqrt(sizes), <i32>trait(ball, 7));
      light += LAMP * (Math.max(0, facing / Math.sqrt((lx * lx + ly * ly + lz * lz) * n)) + Math.max(0, shine));
    }
    const mirror = bounces > 0 ? trait(ball, 8) : 0;
    const part = share * light * TO_BYTE * (1 - mirror);
    red += part * trait(ball, 4);
    green += part * trait(ball, 5);
    blue += part * trait(ball, 6);
    if (mirror == 0) return;
    share *= mirror;
    least = NEAR;
    const back = (2 * (nx * dx + ny * dy + nz * dz)) / n;
    dx -= nx * back;
    dy -= ny * back;
    dz -= nz * back;
  }
}

@inline function byte(value: f64): u8 {
  return <u8>Math.min(255, value);
}

function picture(angle: f64, width: i32): ArrayBuffer {
  const bytes = new Uint8Array(3 * width * width);
  const sine = Math.sin(angle);
  const cosine = Math.cos(angle);
  const half = width / 2;
  let at = 0;
  for (let row = half - 1; row >= half - width; row--) {
    for (let column = half - width + 1; column <= half; column++) {
      const across = <f64>column / <f64>width;
      trace(4.5 * cosine, 1, 3.5 + 4.5 * sine, -across * sine - cosine, <f64>row / <f64>width, across * cosine - sine);
      unchecked((bytes[at++] = byte(red)));
      unchecked((bytes[at++] = byte(green)));
      unchecked((bytes[at++] = byte(blue)));
    }
  }
  return bytes.buffer;
}

export function frame(): void {
  const shard = new Shard();
  const width = <i32>shard.param("width", 300);
  const frames = shard.param("frames", 360);
  while (shard.more()) writeBytes(picture((2 * Math.PI * <f64>shard.integer()) / frames, width));
}
