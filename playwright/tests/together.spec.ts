// Two tabs and a native worker share jobs, a tab is closed in the middle, and the answers are those of the native
// worker alone.

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { expect, test, type Browser } from "@playwright/test";
import { digestOf } from "./digest";
import { openHouse } from "./house";
import { lendTab } from "./lend";

const house = openHouse(1);

/** A sequence that looks like DNA: the bits of a linear congruential generator. */
function sequence(length: number, seed: number): string {
  let state = seed;
  const letter = () => "ACGT"[(state = (state * 1_664_525 + 1_013_904_223) >>> 0) >>> 30];
  return Array.from({ length }, letter).join("");
}

const reference = sequence(6_000, 1);

const JOBS = [
  {
    entry: "row",
    file: "path-tracer/built/path_tracer.wasm",
    params: { width: 64, height: 200, samples: 300 },
    input: { range: { end: 200 } },
  },
  {
    entry: "mandelbrot",
    params: { width: 1024, height: 768, center_x: -0.7436, center_y: 0.1318, span: 0.004, iterations_max: 20_000 },
    input: { range: { end: 192 } },
  },
  {
    entry: "align",
    params: { reference: `>reference\n${reference}` },
    input: { items: Array.from({ length: 60 }, (_, k) => reference.slice(k * 50, k * 50 + 900) + sequence(100, k + 2)) },
  },
];

/** A program of the examples. */
async function pushed(file: string): Promise<string> {
  const bytes = await readFile(new URL(`../../examples/${file}`, import.meta.url));
  return house.api.push(basename(file), Uint8Array.from(bytes));
}

async function digest({ file, ...job }: (typeof JOBS)[number], meanwhile: (id: string) => Promise<void>): Promise<string> {
  const program = file ? await pushed(file) : "rust-core";
  const { id } = await house.api.submit({ program, grain: { items: 1 }, ...job });
  await meanwhile(id);
  const over = await house.api.over(id);
  expect(over.state, over.reason).toBe("succeeded");
  return digestOf(await house.api.outputs(id));
}

/** Two tabs work on what `run` starts; one of them is closed as soon as both sides took part. */
async function withTabs<T>(browser: Browser, run: (meanwhile: () => Promise<void>) => Promise<T>): Promise<T> {
  const pages = [await lendTab(browser, house.server.origin), await lendTab(browser, house.server.origin)];
  const before = await house.api.tabsAccepted();
  const result = await run(async () => {
    await expect.poll(() => house.api.tabsAccepted(), { intervals: [20], message: "tabs take part" }).toBeGreaterThan(before);
    await pages.pop()?.context().close();
  });
  await pages[0]?.context().close();
  return result;
}

for (const job of JOBS) {
  test(`${job.entry}: two tabs and a native worker answer as the native worker does`, async ({ browser }) => {
    const alone = await digest(job, async () => {});
    const together = await withTabs(browser, (meanwhile) => digest(job, meanwhile));
    expect(together).toBe(alone);
  });
}

const SCRIPT = `
export default (n: number): object => ({ n, root: Math.sqrt(n), wave: Math.sin(n) ** 3, chance: Math.random() });
export const wave = (n: number): number => { for (let k = 0; k < 2000; k++) Math.sin(k); return Math.sin(n) / (n + 1); };
export const add = (a: number, b: number): number => a + b;
`;

test("a script and its reduction have the same bits on tabs and native workers", async ({ browser }) => {
  const program = await house.api.push("waves.ts", new TextEncoder().encode(SCRIPT));
  const run = async (spec: object, meanwhile = async () => {}) => {
    const { id } = await house.api.submit({ program, input: { range: { end: 2_000 } }, grain: { items: 10 }, ...spec });
    await meanwhile();
    const over = await house.api.over(id);
    expect(over.state, over.reason).toBe("succeeded");
    return digestOf(await house.api.outputs(id));
  };
  const sum = { entry: "wave", reduce: { entry: "add" } };
  const alone = [await run({ entry: "default" }), await run(sum)];
  const together = await withTabs(browser, async (meanwhile) => [await run({ entry: "default" }), await run(sum, meanwhile)]);
  expect(together).toEqual(alone);
});
