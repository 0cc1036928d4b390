// The page's side in a real Chromium, against a server without a coordinator: nothing before Start, nothing after
// Stop, and a reason in between. What a tab does with work is tested against the real coordinator (`playwright/`).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

let server;
let browser;
before(async () => {
  server = await serve();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

async function openPage(context) {
  const page = await context.newPage();
  await page.goto(`${server.origin}/`);
  await page.evaluate(async () => {
    const { createContributor } = await import("/web-worker/page.js");
    globalThis.seen = [];
    globalThis.tab = createContributor({ slots: 2, intensity: 50 });
    tab.onStatus((status) => seen.push(status));
  });
  return page;
}

/** What runs in a page: its frames beside itself, and its workers. */
const running = (page) => ({ frames: page.frames().length - 1, workers: page.workers().length });

/** Waits until a page's function holds. */
const until = (page, condition) => page.waitForFunction(condition, null, { timeout: 10_000 });

test("what is asked right after Start is heard when the hub is there", async () => {
  const context = await browser.newContext();
  const page = await openPage(context);
  await page.evaluate(() => {
    tab.start();
    tab.setSlots(1);
    tab.setIntensity(20);
  });
  await until(page, () => seen.at(-1).slots === 1 && seen.at(-1).intensity_percent === 20);
  await page.evaluate(() => tab.stop());
  await context.close();
});

test("nothing runs before Start, and Stop means stopped", async () => {
  const context = await browser.newContext();
  const page = await openPage(context);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 200)));
  assert.deepEqual(running(page), { frames: 0, workers: 0 });
  assert.equal(await page.evaluate(() => seen.at(-1).state), "stopped");

  await page.evaluate(() => tab.start());
  await until(page, () => seen.at(-1).connection_errors > 0);
  // The hub; the slots belong to the frame.
  assert.equal(running(page).frames, 1);
  assert.ok(running(page).workers >= 1);
  const status = await page.evaluate(() => seen.at(-1));
  assert.deepEqual([status.state, status.reason, status.slots, status.intensity_percent], ["connecting", "cannot_connect", 2, 50]);

  const ended = page.workers().map((worker) => new Promise((resolve) => worker.once("close", resolve)));
  await page.evaluate(() => tab.stop());
  assert.equal(await page.evaluate(() => seen.at(-1).state), "stopped");
  await Promise.all(ended);
  assert.deepEqual(running(page), { frames: 0, workers: 0 });
  await context.close();
});

test("it can be started again, and paused while it has no connection", async () => {
  const context = await browser.newContext();
  const page = await openPage(context);
  for (let round = 0; round < 2; round += 1) {
    await page.evaluate(() => tab.start());
    await until(page, () => seen.at(-1).connection_errors > 0);
    await page.evaluate(() => tab.pause());
    await until(page, () => seen.at(-1).state === "paused" && seen.at(-1).reason === "person");
    await page.evaluate(() => tab.resume());
    await until(page, () => seen.at(-1).state === "connecting");
    await page.evaluate(() => tab.stop());
  }
  await context.close();
});

test("two tabs of a browser are two workers, and a tab stays the same after a reload", async () => {
  const context = await browser.newContext();
  const identity = async (page) => {
    await page.evaluate(() => tab.start());
    await until(page, () => seen.at(-1).connection_errors > 0);
    return page.evaluate(() => navigator.locks.query().then(({ held }) => held.map((lock) => lock.name)));
  };
  const first = await openPage(context);
  const before = await identity(first);
  const second = await openPage(context);
  const both = await identity(second);
  assert.equal(new Set([...before, ...both]).size, 2);
  await first.close();
  await second.close();
  const again = await openPage(context);
  const after = await identity(again);
  assert.equal(after.length, 1);
  assert.ok(both.includes(after[0]), "an identity that is free is taken up again");
  await context.close();
});
