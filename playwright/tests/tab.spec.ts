// Tabs as workers of a real coordinator: right answers together, a tab that goes away, Pause and Stop, a shard that
// never ends. What one tab can do is measured in `../bench`.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test, type Browser } from "@playwright/test";
import { digestOf } from "./digest";
import { openHouse } from "./house";
import { lendTab } from "./lend";
import type { Job } from "./api";

interface Case {
  entry: string;
  params: string;
  first: number;
  step: number;
  count: number;
  sha256: string;
}

/** Digests of native runs; `web-worker/tests/digests.rs` keeps them true. */
const DIGESTS = JSON.parse(
  readFileSync(new URL("../../web-worker/tests/digests.json", import.meta.url), "utf8"),
) as Case[];

// No native worker beside it: what is done is done by tabs.
const house = openHouse(0);

const lend = (browser: Browser, slots = 1) => lendTab(browser, house.server.origin, slots);

const range = ({ first, step, count }: Case) => ({ range: { start: first, end: first + step * count, step } });

test("two tabs give the digests of a native run, also when one is closed in the middle", async ({ browser }) => {
  const pages = [await lend(browser, 1), await lend(browser, 1)];
  for (const known of DIGESTS.filter(({ entry }) => entry !== "null")) {
    const params = known.params ? (JSON.parse(known.params) as object) : {};
    const job = await house.api.submit({ program: "rust-core", entry: known.entry, params, input: range(known), grain: { items: 1 } });
    if (pages.length === 2 && known.entry === "mersenne") {
      await expect.poll(async () => (await house.api.job(job.id)).counts.accepted, { timeout: 20_000 }).toBeGreaterThan(20);
      await pages.pop()?.context().close();
    }
    const over = await house.api.over(job.id);
    expect(over.state).toBe("succeeded");
    expect(over.counts.items_accepted).toBe(known.count);
    expect(digestOf(await house.api.outputs(job.id)), known.entry).toBe(known.sha256);
  }
  await pages[0]?.context().close();
});

test("a kernel in AssemblyScript draws in a tab what it draws natively, sines and powers included", async ({ browser }) => {
  const page = await lend(browser);
  const example = (name: string) => readFileSync(new URL(`../../examples/assemblyscript/${name}`, import.meta.url));
  const known = JSON.parse(example("known.json").toString()) as { entry: string; item: number; sha256: string };
  const program = await house.api.push("kernels.wasm", Uint8Array.from(example("built/kernels.wasm")));
  const job = await house.api.submit({ program, entry: known.entry, input: { items: [known.item] } });
  expect((await house.api.over(job.id)).state).toBe("succeeded");
  const [drawn = ""] = await house.api.outputs(job.id);
  expect(createHash("sha256").update(drawn).digest("hex")).toBe(known.sha256);
  await page.context().close();
});

test("a tab shows whose work it does, and tiles of its picture", async ({ browser }) => {
  const page = await lend(browser, 2);
  const params = { width: 1024, height: 1024, iterations_max: 500 };
  const job = await house.api.submit({ program: "rust-core", entry: "mandelbrot", name: "my picture", params, input: { range: { end: 256 } } });
  await house.api.over(job.id);
  await page.waitForFunction(() => tiles.length > 10);
  const shown = await page.evaluate(() => seen.flatMap((status) => status.jobs).find((job) => job.picture));
  expect(shown).toMatchObject({ id: job.id, name: "my picture", entry: "mandelbrot" });
  expect(shown?.params).toMatchObject({ width: 1024 });
  const { bytes, item } = await page.evaluate(() => tiles[0] as (typeof tiles)[number]);
  expect(bytes).toBeGreaterThan(0);
  expect(item).toBeLessThan(256);
  // The hub tells its page in its own rhythm, so its sum may come after the job's end.
  await page.waitForFunction(() => (seen.at(-1)?.items_done ?? 0) >= 256);
  await page.context().close();
});

test("Pause gives everything back, Resume goes on, Stop leaves nothing behind", async ({ browser }) => {
  const page = await lend(browser, 1);
  const job = await house.api.submit({ program: "rust-core", entry: "mersenne", input: { range: { start: 9_001, end: 12_001, step: 2 } }, grain: { items: 5 } });
  await page.waitForFunction(() => (seen.at(-1)?.shards_done ?? 0) > 0);
  await page.evaluate(() => tab.pause());
  await page.waitForFunction(() => seen.at(-1)?.state === "paused");
  await expect.poll(async () => (await house.api.job(job.id)).counts.leased).toBe(0);
  const paused = (await house.api.job(job.id)).counts.accepted;
  await page.evaluate(() => tab.resume());
  await expect.poll(async () => (await house.api.job(job.id)).counts.accepted).toBeGreaterThan(paused);
  await page.evaluate(() => tab.stop());
  await expect.poll(async () => (await house.api.workers()).filter((worker) => worker.connected).length).toBe(0);
  expect(page.frames().length).toBe(1);
  await house.api.cancel(job.id);
  await page.context().close();
});

test("a shard that runs too long is ended, with its cause, and the neighbour goes on", async ({ browser }) => {
  const page = await lend(browser, 2);
  const slow: Job = await house.api.submit({
    program: "rust-core",
    entry: "mersenne",
    input: { items: [99_991] },
    grain: { items: 1 },
    attempts_max: 1,
    limits: { shard_time_ms: 500 },
  });
  const quick = await house.api.submit({ program: "rust-core", entry: "mersenne", input: { range: { start: 3, end: 1_003, step: 2 } }, grain: { items: 10 } });
  expect((await house.api.over(quick.id)).state).toBe("succeeded");
  expect((await house.api.over(slow.id)).state).toBe("failed");
  expect(await house.api.causes(slow.id)).toEqual(["out_of_time"]);
  await page.context().close();
});
