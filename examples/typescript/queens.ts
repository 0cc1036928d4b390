// In how many ways can N queens stand on a board without attacking each other? Each place of the queens in the
// first two rows is an item; the rest of the board is searched by whoever gets it.
import { Elytra, task } from "elytra";

/** Ways to fill the rows from `row` on; bits are columns and diagonals that are attacked. */
function ways(n: number, row: number, columns: number, left: number, right: number): number {
  if (row === n) return 1;
  let count = 0;
  for (let free = ~(columns | left | right) & ((1 << n) - 1); free; free &= free - 1) {
    const queen = free & -free;
    count += ways(n, row + 1, columns | queen, (left | queen) << 1, (right | queen) >> 1);
  }
  return count;
}

export const queens = task(import.meta, function queens(start: number, { n }: { n: number }) {
  const first = 1 << Math.floor(start / n);
  const second = 1 << start % n;
  if (second & (first | (first << 1) | (first >> 1))) return 0;
  return ways(n, 2, first | second, ((first << 1) | second) << 1, ((first >> 1) | second) >> 1);
});

const n = Number(process.argv[2] ?? 9);
const elytra = await Elytra.connect();
const counts = await elytra.parallelFor(n * n, queens, { params: { n } });
console.log(counts.reduce((a, b) => a + b, 0));
