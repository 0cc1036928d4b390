// The tab's walls. Promise 6: what is lent to others reaches no network, no storage, no page and no other tab.
// The probes run in a real slot, in the sandbox frame, and as a hostile script in place of ours; each has a broken
// twin without the walls, in which its canary hears it. `docs/tab-walls.md` is the same as a table.

import { expect, test, type Browser, type Page } from "@playwright/test";
import { openHouse } from "./house";
import { lendTab } from "./lend";
import { echo, missedTwins, nothingGotOut, openFrame, openPage, openWorker, probeFrames, probeWorker, slotOf, startCanaries, tokenOf, twinsAreNoticed, type Canaries, type Row } from "./walls/matrix";
import { Parts } from "./promise";
import { hostileSlot, type Outcome, type Probe } from "./walls/probe";
import { CODE, NETWORK, STORAGE, WORKER } from "./walls/probes";
import { ELEMENTS, FRAMES, NAVIGATION, PERSONAL, PRECONNECT } from "./walls/window";

const IN_WORKERS = [...NETWORK, ...CODE, ...STORAGE, ...WORKER];
const IN_WINDOWS = [...NETWORK, ...CODE, ...STORAGE, ...ELEMENTS, ...FRAMES, ...NAVIGATION, ...PERSONAL, PRECONNECT];
/** The promise asks for as many; the matrix has more. */
const PROBES_MIN = 30;
const FRAME = "/frame/index.html";

// A trace of thousands of calls would cost more than the calls.
test.use({ trace: "off" });
const house = openHouse(0);
let canaries: Canaries;
const matrix = new Parts("browser_escape_matrix", 3);
test.beforeAll(async () => {
  canaries = await startCanaries();
});
test.afterAll(async () => {
  await canaries?.stop();
});

/**
 * A page of ours that grants what it is asked for: no wall may lean on the person. Notifications are left out: a
 * browser never asks for them on behalf of a frame of another origin, only the tests' switch would grant them.
 */
async function ourPage(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ permissions: ["geolocation", "clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  await page.goto(`${house.server.origin}/contribute`);
  await page.evaluate(echo);
  return page;
}

/** The same probes in blob workers without walls. */
async function twinWorkers(browser: Browser): Promise<void> {
  const canary = canaries.outside;
  const run = async (path: string, probes: Probe[]) => {
    const page = await openPage(browser, canary, path);
    return { page, rows: await probeWorker(await openWorker(page), "slot", probes, canary) };
  };
  const isolated = IN_WORKERS.filter(({ twin }) => twin === "isolated");
  const runs = await Promise.all([run("/isolated", isolated), run("/", IN_WORKERS.filter(({ twin }) => !twin))]);
  await twinsAreNoticed(runs.flatMap(({ rows }) => rows), canary);
  await Promise.all(runs.map(({ page }) => page.context().close()));
}

test("browser_escape_matrix: nothing gets out of a slot", async ({ browser }) => {
  expect(new Set([...IN_WORKERS, ...IN_WINDOWS]).size).toBeGreaterThanOrEqual(PROBES_MIN);
  const tab = await lendTab(browser, house.server.origin);
  await tab.evaluate(echo);
  const rows = await probeWorker(await slotOf(tab), "slot", IN_WORKERS, canaries.inside);
  await twinWorkers(browser);
  nothingGotOut(rows, canaries.inside);
  expect(test.info().errors).toEqual([]);
  matrix.add(`${rows.length} probes from a slot: 0 succeeded, 0 canaries heard anything`);
  await tab.context().close();
});

test("browser_escape_matrix: nothing gets out of a hostile script in place of a slot's", async ({ browser }) => {
  const context = await browser.newContext();
  const placeOf = (probe: Probe) => canaries.inside.at(tokenOf("hostile", probe));
  await context.route("**/web-worker/slot.js", (route) => route.fulfill({ contentType: "text/javascript", body: hostileSlot(IN_WORKERS, placeOf) }));
  const tab = await lendTab({ newContext: async () => context } as typeof browser, house.server.origin);
  await tab.evaluate(echo);
  const outcomes = new Map(await (await slotOf(tab)).evaluate(() => (globalThis as never as { outcomes: Promise<[string, Outcome][]> }).outcomes));
  const rows: Row[] = IN_WORKERS.map((probe) => ({ probe, token: tokenOf("hostile", probe), outcome: outcomes.get(probe.name) ?? "not run" }));
  expect(rows.filter(({ outcome }) => outcome === "not run")).toEqual([]);
  nothingGotOut(rows, canaries.inside);
  expect(test.info().errors).toEqual([]);
  matrix.add(`${rows.length} from a hostile script in a slot's place: the same`);
  await context.close();
});

/** Some need a page of their own, for they take it along or use it up. */
const ALONE = IN_WINDOWS.filter(({ twin }) => twin === "own page" || twin === "isolated");
const TOGETHER = IN_WINDOWS.filter((probe) => !ALONE.includes(probe));

/** The probes in frames without walls. */
async function twinFrames(browser: Browser): Promise<void> {
  const canary = canaries.outside;
  const run = async (path: string, probes: Probe[]) => {
    const page = await openPage(browser, canary, path);
    const addressOf = (token: string, { twin }: Probe) => (twin === "reporting" ? `/?report=/hit/${token}` : path);
    return { page, rows: await probeFrames(page, addressOf, null, probes, canary) };
  };
  const runs = await Promise.all([run("/", TOGETHER), ...ALONE.map((probe) => run(probe.twin === "isolated" ? "/isolated" : "/", [probe]))]);
  const missed = await missedTwins(runs.flatMap(({ rows }) => rows), canary);
  await Promise.all(runs.map(({ page }) => page.context().close()));
  // What was missed among neighbours is tried once more, each in a page of its own.
  for (const { probe } of missed) {
    const { page, rows } = await run(probe.twin === "isolated" ? "/isolated" : "/", [probe]);
    await twinsAreNoticed(rows, canary);
    await page.context().close();
  }
}

test("browser_escape_matrix: nothing gets out of the sandbox frame", async ({ browser }) => {
  const pages = await Promise.all([ourPage(browser), ourPage(browser)]);
  const inside = (page: Page, probes: Probe[]) => probeFrames(page, () => FRAME, "allow-scripts", probes, canaries.inside);
  const rows = (await Promise.all([inside(pages[0], TOGETHER), inside(pages[1], ALONE)])).flat();
  await twinFrames(browser);
  nothingGotOut(rows, canaries.inside);
  for (const page of pages) {
    expect(page.context().pages(), "no window was opened").toEqual([page]);
    expect(new URL(page.url()).pathname, "the page is where it was").toBe("/contribute");
    await page.context().close();
  }
  expect(test.info().errors).toEqual([]);
  matrix.add(`${rows.length} from the sandbox frame: the same; each with its twin outside the walls, which is noticed`);
});

/** Opens the frame with a script that is not ours; whether it ran. */
async function strangeScriptRuns(browser: Browser, hasPolicy: boolean): Promise<boolean> {
  const page = await (await browser.newContext()).newPage();
  await page.route(`**${FRAME}`, async (route) => {
    const answer = await route.fetch();
    const { "content-security-policy": policy = "", ...others } = answer.headers();
    const body = (await answer.text()).replace(/<meta http-equiv.*>/, "").replace(/<script>[^]*<\/script>/, "<script>globalThis.strange = true</script>");
    await route.fulfill({ body, headers: hasPolicy ? { ...others, "content-security-policy": policy } : others });
  });
  await page.goto(`${house.server.origin}/contribute`);
  const frame = await openFrame(page, "strange", FRAME, "allow-scripts");
  const ran = await frame.evaluate(() => "strange" in globalThis);
  await page.context().close();
  return ran;
}

test("browser_escape_matrix: a script in place of the frame's own does not run", async ({ browser }) => {
  expect(await strangeScriptRuns(browser, true)).toBe(false);
  expect(await strangeScriptRuns(browser, false), "the broken twin").toBe(true);
});

/** A slot's script that floods its hub with what no slot says, and with what one might. */
const FLOOD = `onmessage = ({ ports: [port] }) => {
  const nonsense = [
    undefined, null, 1, "report", [], { kind: "report" }, { kind: "compiled", program: 99 }, { kind: "end", batch: 7 },
    { kind: "refused", program: 0, detail: "x".repeat(10_000) },
    { kind: "report", batch: 0, first: 0, lengths: new Uint32Array([4_000_000_000]), data: new ArrayBuffer(4), busyUs: -1, failure: null },
  ];
  for (let n = 0; n < 20_000; n += 1) port.postMessage(nonsense[n % nonsense.length]);
}`;

test("browser_escape_matrix: floods from a slot and from the frame leave the page alive", async ({ browser }) => {
  const context = await browser.newContext();
  await context.route("**/web-worker/slot.js", (route) => route.fulfill({ contentType: "text/javascript", body: FLOOD }));
  const tab = await context.newPage();
  await tab.goto(`${house.server.origin}/contribute`);
  await tab.getByRole("button", { name: "Start" }).click();
  // A hub that hears nonsense may end; it takes nothing with it.
  await expect(tab.getByRole("heading", { name: /Working|Ready|Not contributing/ })).toBeVisible();
  const frame = await openFrame(tab, "flood", FRAME, "allow-scripts");
  await frame.evaluate(() => {
    for (let n = 0; n < 50_000; n += 1) parent.postMessage({ kind: "setup", source: "x".repeat(100), n }, "*");
  });
  await tab.getByRole("link", { name: "Jobs" }).first().click();
  await expect(tab).toHaveURL(/\/jobs/);
  await context.close();
});
