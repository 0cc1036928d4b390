// How many steps the Collatz sequence of a number takes to reach 1.
//   elytra run examples/scripts/collatz.js --range 1:1000000
export function collatz(n) {
  let steps = 0;
  while (n !== 1) {
    n = n % 2 === 0 ? n / 2 : 3 * n + 1;
    steps += 1;
  }
  return steps;
}
