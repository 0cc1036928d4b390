// Pi by throwing darts: an item is one batch of them, and the sum of the hits tells the area. Math.random is seeded
// from the item, so the same job gives the same digits on every machine.

interface Params {
  /** Darts in one item. */
  darts?: number;
}

/** Darts that hit the quarter circle. */
export function hits(_batch: number, { darts = 10_000 }: Params = {}): number {
  let inside = 0;
  for (let dart = 0; dart < darts; dart++) {
    const x = Math.random();
    const y = Math.random();
    if (x * x + y * y <= 1) inside += 1;
  }
  return inside;
}

/** Adds two outputs; for the job's reduction. */
export function add(a: number, b: number): number {
  return a + b;
}
