// What the tests of promises say of themselves, for docs/reliability.md; the twin of the crate `promise`.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const soak = process.env["XTASK_SOAK"] !== undefined;

/** How much of something the form that runs asks for: short in `npm test`, full in `cargo xtask soak`. */
export const amount = <T>(short: T, full: T): T => (soak ? full : short);

/** Says that the test has passed and what it has seen, in one line for people. Call it last. */
export function kept(test: string, seen: string): void {
  const folder = process.env["XTASK_PROMISES"];
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${test}.json`), JSON.stringify({ test, seen, soak }));
}

/** What several tests of one promise have seen, said when the last of them has passed. */
export class Parts {
  readonly #seen: string[] = [];

  constructor(
    readonly test: string,
    readonly wanted: number,
  ) {}

  add(seen: string): void {
    this.#seen.push(seen);
    if (this.#seen.length === this.wanted) kept(this.test, this.#seen.join("; "));
  }
}
