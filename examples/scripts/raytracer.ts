// A frame of a turn round four balls: the scene and the rays of Gabriel Gambetta's Tiny Raytracer as Pando's example
// traces them, written anew. An item is a frame, its output a list of red, green and blue from 0 to 255, row by row.
// The same as a kernel, forty times faster: `../assemblyscript/assembly/raytracer.ts`.

interface Params {
  /** Width and height in pixels. */
  width?: number;
  /** Frames of a whole turn. */
  frames?: number;
}

/** As far as light goes; also the radius of the ground. */
const FAR = 300;
/** A ray that leaves a surface must not hit it again at once. */
const NEAR = 1 / FAR;
const AMBIENT = 2;
const LAMP = 8;
/** Mirrored rays that follow the first. */
const BOUNCES_MAX = 2;
/** Colours reach to 9 and light to 10; bytes reach to 255. */
const TO_BYTE = 2.8;

interface Ball {
  x: number;
  y: number;
  z: number;
  /** Its radius, squared. */
  square: number;
  color: readonly [number, number, number];
  shine: number;
  mirror: number;
}

const BALLS: readonly Ball[] = [
  { x: 0, y: -FAR, z: 0, square: FAR * FAR, color: [9, 9, 0], shine: 300, mirror: 2 / 9 },
  { x: 0, y: 0, z: 3, square: 1, color: [9, 0, 0], shine: 300, mirror: 3 / 9 },
  { x: -2, y: 1, z: 4, square: 1, color: [0, 9, 0], shine: 9, mirror: 4 / 9 },
  { x: 2, y: 1, z: 4, square: 1, color: [0, 0, 9], shine: 300, mirror: 5 / 9 },
];

let hitAt = 0;

/** The nearest ball along a ray; `hitAt` is how far away it is. Vectors are plain numbers: nothing is allocated. */
function nearest(x: number, y: number, z: number, dx: number, dy: number, dz: number, least: number, most: number): Ball | null {
  let found: Ball | null = null;
  let at = FAR;
  const a = 2 * (dx * dx + dy * dy + dz * dz);
  for (let index = 0; index < BALLS.length; index++) {
    const ball = BALLS[index]!;
    const ox = x - ball.x;
    const oy = y - ball.y;
    const oz = z - ball.z;
    const b = -2 * (ox * dx + oy * dy + oz * dz);
    const square = b * b - 2 * a * (ox * ox + oy * oy + oz * oz - ball.square);
    if (!(square > 0)) continue;
    const root = Math.sqrt(square);
    const front = (b - root) / a;
    const back = (b + root) / a;
    if (least < front && front < most && front < at) {
      found = ball;
      at = front;
    }
    if (least < back && back < most && back < at) {
      found = ball;
      at = back;
    }
  }
  hitAt = at;
  return found;
}

/** A power by squaring, as the kernel has it. */
function power(base: number, exponent: number): number {
  let result = 1;
  for (let left = exponent; left > 0; left >>= 1) {
    if (left & 1) result *= base;
    base *= base;
  }
  return result;
}

/** What is seen along a ray, as three bytes of `out` from `at` on. */
function trace(x: number, y: number, z: number, dx: number, dy: number, dz: number, out: Uint8Array, at: number): void {
  let red = 0;
  let green = 0;
  let blue = 0;
  let share = 1;
  let least = 1;
  for (let bounces = BOUNCES_MAX; ; bounces--) {
    const ball = nearest(x, y, z, dx, dy, dz, least, FAR);
    if (!ball) break;
    x += dx * hitAt;
    y += dy * hitAt;
    z += dz * hitAt;
    const nx = x - ball.x;
    const ny = y - ball.y;
    const nz = z - ball.z;
    const n = nx * nx + ny * ny + nz * nz;
    let light = AMBIENT;
    // The lamp hangs at 2, 2, 0.
    const lx = 2 - x;
    const ly = 2 - y;
    const lz = 0 - z;
    if (!nearest(x, y, z, lx, ly, lz, NEAR, 1)) {
      const facing = nx * lx + ny * ly + nz * lz;
      const turn = (2 * facing) / n;
      const mx = lx - nx * turn;
      const my = ly - ny * turn;
      const mz = lz - nz * turn;
      const sizes = (mx * mx + my * my + mz * mz) * (dx * dx + dy * dy + dz * dz);
      const shine = power((mx * dx + my * dy + mz * dz) / Math.sqrt(sizes), ball.shine);
      const diffuse = facing / Math.sqrt((lx * lx + ly * ly + lz * lz) * n);
      light += LAMP * ((diffuse > 0 ? diffuse : 0) + (shine > 0 ? shine : 0));
    }
    const mirror = bounces > 0 ? ball.mirror : 0;
    const part = share * light * TO_BYTE * (1 - mirror);
    red += part * ball.color[0];
    green += part * ball.color[1];
    blue += part * ball.color[2];
    if (mirror === 0) break;
    share *= mirror;
    least = NEAR;
    const back = (2 * (nx * dx + ny * dy + nz * dz)) / n;
    dx -= nx * back;
    dy -= ny * back;
    dz -= nz * back;
  }
  out[at] = Math.min(255, red);
  out[at + 1] = Math.min(255, green);
  out[at + 2] = Math.min(255, blue);
}

/** One frame of the turn. */
export function frame(item: number, { width = 300, frames = 360 }: Params = {}): Uint8Array {
  const angle = (2 * Math.PI * item) / frames;
  const sine = Math.sin(angle);
  const cosine = Math.cos(angle);
  const half = Math.floor(width / 2);
  const out = new Uint8Array(3 * width * width);
  let at = 0;
  for (let row = half - 1; row >= half - width; row--) {
    for (let column = half - width + 1; column <= half; column++) {
      const across = column / width;
      trace(4.5 * cosine, 1, 3.5 + 4.5 * sine, -across * sine - cosine, row / width, across * cosine - sine, out, at);
      at += 3;
    }
  }
  return out;
}
