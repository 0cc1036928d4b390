// What one tab can do, printed and never judged: `npm run bench -w playwright`.

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { expect, test } from "@playwright/test";
import { openHouse } from "../tests/house";
import { lendTab } from "../tests/lend";

// No native worker beside it: what is done is done by the tab.
const house = openHouse(0);

test("null items a second through one tab", async ({ browser }) => {
  const page = await lendTab(browser, house.server.origin, 1);
  const items = 4_000_000;
  const over = await house.api.over((await house.api.submit({ program: "rust-core", entry: "null", input: { range: { end: items } } })).id);
  const rate = (items * 1000) / ((over.ended_ms ?? 0) - (over.started_ms ?? 0));
  console.log(`${Math.round(rate)} null items/s through one tab`);
  await page.context().close();
});

/** Programs of the examples, as Pando's examples have them, with as many items as take some seconds. */
const BROUGHT = [
  ["scripts/square.js", "square", 1_000_000],
  ["scripts/collatz.js", "collatz", 100_000],
  ["assemblyscript/built/kernels.wasm", "collatz", 1_000_000],
  ["assemblyscript/built/kernels.wasm", "frame", 120],
  ["scripts/raytracer.ts", "frame", 4],
] as const;

for (const [file, entry, items] of BROUGHT) {
  test(`${entry} of ${file}, items a second through one tab`, async ({ browser }) => {
    const page = await lendTab(browser, house.server.origin, 1);
    const bytes = Uint8Array.from(await readFile(new URL(`../../examples/${file}`, import.meta.url)));
    const program = await house.api.push(basename(file), bytes);
    const run = async (end: number) => house.api.over((await house.api.submit({ program, entry, input: { range: { start: 1, end: end + 1 } } })).id);
    // What is measured is work, not the compiling of the first shard.
    await run(1);
    const over = await run(items);
    expect(over.state, over.reason).toBe("succeeded");
    console.log(`${((items * 1000) / ((over.ended_ms ?? 0) - (over.started_ms ?? 0))).toPrecision(3)} items/s: ${entry} of ${file}`);
    await page.context().close();
  });
}

test("from opening the page to the first accepted shard of a fresh tab", async ({ browser }) => {
  const job = await house.api.submit({ program: "rust-core", entry: "mersenne", input: { range: { start: 3, end: 99_999, step: 2 } }, grain: { items: 3 } });
  const took_ms: number[] = [];
  while (took_ms.length < 6) {
    const before = (await house.api.job(job.id)).counts.accepted;
    const page = await (await browser.newContext()).newPage();
    const opened_ms = Date.now();
    await page.goto(`${house.server.origin}/contribute`, { waitUntil: "commit" });
    await page.evaluate(async () => {
      const path = "/web-worker/page.js";
      const { createContributor } = (await import(path)) as typeof import("../../web-worker/ts/page");
      createContributor({ slots: 1 }).start();
    });
    await expect.poll(async () => (await house.api.job(job.id)).counts.accepted, { intervals: [10] }).toBeGreaterThan(before);
    took_ms.push(Date.now() - opened_ms);
    await page.context().close();
  }
  await house.api.cancel(job.id);
  console.log(`first shard after ${took_ms.join(", ")} ms`);
});
