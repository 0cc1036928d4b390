// Promises 13, 34 and 38: nothing runs before a click and nothing after Stop, no page asks anybody else for anything
// or keeps a cookie, nobody else can show our pages, and what runs has no fine clock and no thread.

import { expect, test, type Page } from "@playwright/test";
import { openHouse } from "./house";
import { lendTab } from "./lend";
import { amount, kept, Parts } from "./promise";
import { costOf, tell } from "./walls/cost";
import { openFrame, openPage, slotOf, startCanaries, type Canaries } from "./walls/matrix";

const PAGES = ["/", "/contribute", "/overview", "/jobs", "/programs", "/workers", "/submit", "/submit/script", "/settings"];
/** Promise 13 says 3 seconds. */
const STOP_MS_MAX = 3_000;
/** How long a page that nobody clicked is watched. */
const WATCH_MS = amount(1_500, 30_000);
/** Finer clocks tell neighbours apart. */
const CLOCK_STEP_US_MIN = 100;

// A trace of so many calls would cost more than the calls.
test.use({ trace: "off" });
const house = openHouse(0);
let canaries: Canaries;
const consent = new Parts("consent_gate", 3);
test.beforeAll(async () => {
  canaries = await startCanaries();
});
test.afterAll(async () => {
  await canaries?.stop();
});

/** What a page asked for and was given, from its first request on. */
function record(page: Page): { strangers: string[]; cookies: string[]; sockets: string[]; programs: string[] } {
  const seen = { strangers: [] as string[], cookies: [] as string[], sockets: [] as string[], programs: [] as string[] };
  page.context().on("request", (request) => {
    const { origin, protocol, pathname } = new URL(request.url());
    if (/^\/api\/v1\/programs\/.*\/module$/.test(pathname)) seen.programs.push(pathname);
    if (origin !== house.server.origin && !["data:", "blob:"].includes(protocol)) seen.strangers.push(request.url());
  });
  page.context().on("response", (response) => {
    if ("set-cookie" in response.headers()) seen.cookies.push(response.url());
  });
  page.on("websocket", (socket) => seen.sockets.push(socket.url()));
  return seen;
}

const running = (page: Page) => ({ workers: page.workers().length, frames: page.frames().length - 1 });

const NOTHING = { workers: 0, frames: 0 };

async function visitAll(page: Page): Promise<void> {
  for (const path of PAGES) {
    await page.goto(`${house.server.origin}${path}#token=${house.api.token}`);
    await expect(page.getByText("Live", { exact: true })).toBeVisible();
  }
}

test("consent_gate, privacy_surface: nothing runs before the click, nobody else is asked, no cookie", async ({ page, context }) => {
  const seen = record(page);
  await visitAll(page);
  expect({ ...running(page), sockets: seen.sockets }).toEqual({ ...NOTHING, sockets: [] });
  await page.goto(`${house.server.origin}/contribute`);
  const start = page.getByRole("button", { name: "Start" });
  await expect(start).toBeEnabled();
  // There is work, which a page that ran anything would fetch and begin.
  await house.api.submit({ program: "rust-core", entry: "mersenne", input: { range: { start: 3, end: 403, step: 2 } }, grain: { items: 10 } });
  await page.waitForTimeout(WATCH_MS);
  expect({ ...running(page), sockets: seen.sockets, programs: seen.programs }).toEqual({ ...NOTHING, sockets: [], programs: [] });
  // The broken twin of "nothing": the click is seen in all three.
  await start.click();
  await expect.poll(() => ({ ...running(page), sockets: seen.sockets.length })).toMatchObject({ frames: 1 });
  await expect.poll(() => page.workers().length).toBeGreaterThan(1);
  await expect.poll(() => seen.programs.length).toBeGreaterThan(0);
  // A second tab of the same person has not been clicked.
  const second = await context.newPage();
  await second.goto(`${house.server.origin}/contribute`);
  await expect(second.getByRole("button", { name: "Start" })).toBeEnabled();
  expect(running(second)).toEqual(NOTHING);
  await second.close();
  const since = Date.now();
  await page.getByRole("button", { name: "Stop" }).click();
  await expect.poll(() => running(page)).toEqual(NOTHING);
  const stopMs = Date.now() - since;
  tell("consent_gate: nothing left after Stop", stopMs, "ms", STOP_MS_MAX);
  expect(stopMs).toBeLessThan(STOP_MS_MAX);
  await page.reload();
  await expect(start).toBeEnabled();
  expect(running(page)).toEqual(NOTHING);
  consent.add(`watched for ${WATCH_MS / 1000} s with work waiting: 0 workers, frames, sockets and programs, also in a second tab and after a reload; ${stopMs} ms from Stop to nothing`);
  expect([seen.strangers, seen.cookies, await context.cookies()]).toEqual([[], [], []]);
});

test("privacy_surface: a request to somebody else, or a cookie, would be noticed", async ({ browser }) => {
  const page = await openPage(browser, canaries.outside);
  const seen = record(page);
  await page.evaluate(() => {
    document.cookie = "kept=1";
    return fetch("/again");
  });
  expect(seen.strangers).toEqual([`${canaries.outside.origin}/again`]);
  expect(await page.context().cookies()).toHaveLength(1);
  await page.context().close();
});

test("consent_gate: a tab before the click takes no processor", async ({ browser }) => {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${house.server.origin}/contribute`);
  await expect(page.getByRole("button", { name: "Start" })).toBeEnabled();
  const cost = await costOf(browser);
  let percent = Infinity;
  // The page may still be settling; then it stays quiet.
  await expect.poll(async () => (percent = await cost.cpuPercent()), { intervals: [0] }).toBeLessThan(1);
  tell("consent_gate: processor before the click", percent, "% of a core", 1);
  consent.add(`${percent.toFixed(1)} % of a core before the click`);
  await page.context().close();
});

/** Whether a page of another site can show an address; a refused frame is an error page. */
async function shows(site: Page, address: string): Promise<boolean> {
  const frame = await openFrame(site, address, address, null);
  return !frame.url().startsWith("chrome-error:");
}

test("consent_gate: no other site can show our pages", async ({ browser }) => {
  const site = await openPage(browser, canaries.outside);
  for (const path of ["/", "/contribute", "/frame/index.html", "/api/v1/workers"]) {
    expect(await shows(site, `${house.server.origin}${path}`), path).toBe(false);
  }
  expect(await shows(site, `${canaries.inside.origin}/`), "the broken twin: a page without the wall").toBe(true);
  await site.context().close();
  consent.add("no page of ours loads in another site's frame");
});

/** Runs in a worker: the smallest step of its clock, in microseconds, and whether it is isolated. */
function clock(): { stepUs: number; isolated: boolean; shared: boolean } {
  let step = Infinity;
  for (let tries = 0; tries < 50; tries += 1) {
    const begin = performance.now();
    let now = begin;
    while (now === begin) now = performance.now();
    step = Math.min(step, now - begin);
  }
  return { stepUs: Math.round(step * 1000), isolated: crossOriginIsolated, shared: "SharedArrayBuffer" in globalThis };
}

test("no_clock_no_threads: a slot is not isolated and its host's clock is coarse", async ({ browser }) => {
  const tab = await lendTab(browser, house.server.origin);
  const { stepUs, ...rest } = await (await slotOf(tab)).evaluate(clock);
  expect(rest).toEqual({ isolated: false, shared: false });
  expect(stepUs).toBeGreaterThanOrEqual(CLOCK_STEP_US_MIN);
  const isolated = await openPage(browser, canaries.outside, "/isolated");
  const twin = await isolated.evaluate(clock);
  expect(twin).toMatchObject({ isolated: true, shared: true });
  expect(twin.stepUs, "the broken twin has a finer clock").toBeLessThan(CLOCK_STEP_US_MIN);
  await Promise.all([tab.context().close(), isolated.context().close()]);
  kept("no_clock_no_threads", `not isolated, no shared memory, the clock's step is ${stepUs} µs`);
});
