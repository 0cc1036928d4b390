// How many steps the Collatz sequence of a number takes to reach 1: the kernel beside `../scripts/collatz.js`.
import { Shard, writeJson } from "./elytra";

function steps(item: i64): u32 {
  if (item < 1) throw new RangeError(`${item} has no Collatz sequence`);
  let n = <u64>item;
  let steps: u32 = 0;
  while (n != 1) {
    // No number that fits an item gets beyond 2^64 without being told.
    if (n > (u64.MAX_VALUE - 1) / 3) throw new RangeError(`the sequence of ${item} leaves 64 bits`);
    n = n & 1 ? 3 * n + 1 : n >> 1;
    steps++;
  }
  return steps;
}

export function collatz(): void {
  const shard = new Shard();
  while (shard.more()) writeJson(steps(shard.integer()).toString());
}
