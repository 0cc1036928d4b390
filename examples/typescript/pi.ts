// Pi by chance: points in a square, and how many of them lie in the circle. In a task Math.random begins anew for
// every item, from the item itself, so the answer is the same on any number of workers.
import { Elytra } from "elytra";

const BLOCKS = 64;
const POINTS = 50_000;

const elytra = await Elytra.connect();
const inside = elytra.parallelFor(
  BLOCKS,
  (_block, { points }: { points: number }) => {
    let hits = 0;
    for (let at = 0; at < points; at++) if (Math.hypot(Math.random(), Math.random()) < 1) hits++;
    return hits;
  },
  { params: { points: POINTS }, name: "pi" },
);

let hits = 0;
for await (const block of inside) hits += block;
console.log(((4 * hits) / (BLOCKS * POINTS)).toFixed(3));
