// Two tabs and a native worker share jobs, a tab is closed in the middle, and the answers are those of the native
// worker alone.

import { expect, test } from "@playwright/test";
import { Api } from "./api";
import { digestOf } from "./digest";
import { lendTab } from "./lend";
import { startServer, type Server } from "./server";

let server: Server;
let api: Api;

test.beforeAll(async () => {
  process.env.ELYTRA_SLOTS = "1";
  server = await startServer("dev");
  api = await Api.connect(server);
});

test.afterAll(async () => {
  await server?.stop();
});

/** A sequence that looks like DNA: the bits of a linear congruential generator. */
function sequence(length: number, seed: number): string {
  let state = seed;
  const letter = () => "ACGT"[(state = (state * 1_664_525 + 1_013_904_223) >>> 0) >>> 30];
  return Array.from({ length }, letter).join("");
}

const reference = sequence(6_000, 1);

const JOBS = [
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

async function digest(job: (typeof JOBS)[number], meanwhile: (id: string) => Promise<void>): Promise<string> {
  const { id } = await api.submit({ program: "rust-core", grain: { items: 1 }, ...job });
  await meanwhile(id);
  const over = await api.over(id);
  expect(over.state, over.reason).toBe("succeeded");
  return digestOf(await api.outputs(id));
}

for (const job of JOBS) {
  test(`${job.entry}: two tabs and a native worker answer as the native worker does`, async ({ browser }) => {
    const alone = await digest(job, async () => {});
    const pages = [await lendTab(browser, server.origin), await lendTab(browser, server.origin)];
    const tabsAccepted = async () => {
      const tabs = (await api.workers()).filter(({ kind }) => kind === "tab");
      return tabs.reduce((sum, { accepted }) => sum + accepted, 0);
    };
    const before = await tabsAccepted();
    const together = await digest(job, async () => {
      await expect.poll(tabsAccepted, { intervals: [20], message: "tabs take part" }).toBeGreaterThan(before);
      await pages.pop()?.context().close();
    });
    expect(together).toBe(alone);
    await pages[0]?.context().close();
  });
}
