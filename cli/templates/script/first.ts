// One export, one function: it is called with every item, and what it returns is the item's result.
//
//   elytra run first.ts 3 5 7 27
//   elytra for first.ts 1:100000 --reduce longest

interface Path {
  start: number;
  steps: number;
}

/** How many steps Collatz's rule takes from a number down to 1. */
export default function collatz(start: number): Path {
  let steps = 0;
  for (let n = start; n > 1; n = n % 2 === 0 ? n / 2 : 3 * n + 1) steps++;
  return { start, steps };
}

/** Reduces two results to one. */
export function longest(a: Path, b: Path): Path {
  return a.steps >= b.steps ? a : b;
}
