// Promises 7 and 8 in a tab: what never ends is ended, what wants all memory gets its share, and the neighbours and
// the page go on.

import { expect, test } from "@playwright/test";
import { openHouse } from "./house";
import { lendTab } from "./lend";
import { amount, Parts } from "./promise";
import { costOf, tell, type Cost } from "./walls/cost";
import { DEEP, ENDLESS, GREEDY, LARGE, LYING } from "./walls/modules";
import type { Job } from "./api";

/** A tab ends a shard when it took twice its time. */
const SHARD_MS = 500;
const DEADLINE_MS = 2 * SHARD_MS;
/** For a page to fall quiet at all. */
const PATIENCE_MS = 20_000;
/** What a tab takes of a core when no shard runs any more. */
const QUIET_PERCENT_MAX = 2;
/** What is promised. In `npm test` the machine is busy with others; then the figure only says how long it was. */
const IDLE_MS_MAX = amount(15_000, 3_000);
const MEMORY_MIB = 64;
/** What a tab may take besides a program's memory. */
const BESIDES_MIB_MAX = 32;
const PAGES_PER_MIB = 16;

// A trace of so many calls would cost more than the calls.
test.use({ trace: "off" });
const house = openHouse(0);
const runaway = new Parts("runaway_stops_browser", 2);
const bomb = new Parts("memory_bomb_contained", 2);

async function run(module: Uint8Array<ArrayBuffer>, spec: object = {}): Promise<Job> {
  const program = await house.api.push("walls.wasm", module);
  return house.api.submit({ program, entry: "run", input: { range: { end: 1 } }, grain: { items: 1 }, attempts_max: 1, ...spec });
}

/** Ends long before the deadline: what takes the processor behind it are the programs that never end. */
const neighbour = () =>
  house.api.submit({ program: "rust-core", entry: "mersenne", input: { range: { start: 3, end: 203, step: 2 } }, grain: { items: 10 } });

const busy = (cost: Cost) => expect.poll(() => cost.cpuPercent(), { intervals: [0] }).toBeGreaterThan(5 * QUIET_PERCENT_MAX);

test("runaway_stops_browser: what never ends is ended, and the neighbour goes on", async ({ browser }) => {
  const tab = await lendTab(browser, house.server.origin, Object.keys(ENDLESS).length + 1);
  const cost = await costOf(browser);
  // A tab that has just begun is not quiet yet.
  await cost.quietSince(QUIET_PERCENT_MAX, PATIENCE_MS);
  const jobs = await Promise.all(Object.values(ENDLESS).map((module) => run(module, { limits: { shard_time_ms: SHARD_MS } })));
  // The broken twin of "idle": while they run it is seen that they do.
  await busy(cost);
  const beside = await neighbour();
  const over = await Promise.all(jobs.map(({ id }) => house.api.over(id)));
  expect(await Promise.all(jobs.map(({ id }) => house.api.causes(id)))).toEqual(jobs.map(() => ["out_of_time"]));
  expect((await house.api.over(beside.id)).state).toBe("succeeded");
  const idleMs = await cost.quietSince(QUIET_PERCENT_MAX, PATIENCE_MS);
  const begunMs = Math.max(...over.map(({ started_ms }) => started_ms ?? 0));
  const tookMs = Math.max(...over.map(({ started_ms, ended_ms }) => (ended_ms ?? 0) - (started_ms ?? 0)));
  expect(idleMs - begunMs - DEADLINE_MS).toBeLessThanOrEqual(IDLE_MS_MAX);
  tell("runaway_stops_browser: told behind the deadline", tookMs - DEADLINE_MS, "ms", 3_000);
  tell("runaway_stops_browser: processor idle behind the deadline", idleMs - begunMs - DEADLINE_MS, "ms", 3_000);
  runaway.add(
    `${jobs.length} endless programs at once: told ${tookMs - DEADLINE_MS} ms and the processor idle ${idleMs - begunMs - DEADLINE_MS} ms behind the deadline, and their neighbour went on`,
  );
  await tab.context().close();
});

test("runaway_stops_browser: calls without end are a trap", async ({ browser }) => {
  const tab = await lendTab(browser, house.server.origin);
  const deep = await house.api.over((await run(DEEP)).id);
  expect([deep.state, ...(await house.api.causes(deep.id))]).toEqual(["failed", "trapped"]);
  runaway.add("calls without end are a trap");
  await tab.context().close();
});

test("memory_bomb_contained: a program that takes all it gets has its share, and the neighbour goes on", async ({ browser }) => {
  const tab = await lendTab(browser, house.server.origin, 2);
  const cost = await costOf(browser);
  const pagesOf = async (memory_mib: number) => {
    const beside = await neighbour();
    const job = await run(GREEDY, { limits: { memory_mib } });
    const over = await house.api.over(job.id);
    expect(over.state, over.reason).toBe("succeeded");
    expect((await house.api.over(beside.id)).state).toBe("succeeded");
    return (await house.api.outputs(job.id))[0]?.readUInt32LE();
  };
  // What is compiled and begun once counts for no program.
  await pagesOf(1);
  const before = await cost.beginMemory();
  expect(await pagesOf(MEMORY_MIB)).toBe(MEMORY_MIB * PAGES_PER_MIB);
  const more = (await cost.memoryMibMax()) - before;
  tell("memory_bomb_contained: resident for a program of 64 MiB", more, "MiB", MEMORY_MIB + BESIDES_MIB_MAX);
  expect(more).toBeLessThanOrEqual(MEMORY_MIB + BESIDES_MIB_MAX);
  // The broken twin: with four times the share, four times as much is seen.
  const again = await cost.beginMemory();
  expect(await pagesOf(4 * MEMORY_MIB)).toBe(4 * MEMORY_MIB * PAGES_PER_MIB);
  expect((await cost.memoryMibMax()) - again).toBeGreaterThan(MEMORY_MIB + BESIDES_MIB_MAX);
  expect(await tab.evaluate(() => document.readyState)).toBe("complete");
  bomb.add(`a program of ${MEMORY_MIB} MiB that takes all it gets: ${Math.round(more)} MiB resident (cap + ${BESIDES_MIB_MAX}), neighbour and page go on`);
  await tab.context().close();
});

test("memory_bomb_contained: who lies about its size does not begin", async ({ browser }) => {
  await expect(house.api.push("lying.wasm", LYING)).rejects.toThrow(/lying\.wasm|section|end/i);
  const tab = await lendTab(browser, house.server.origin);
  const large = await run(LARGE, { limits: { memory_mib: MEMORY_MIB } }).then(({ id }) => house.api.over(id), (refused: unknown) => String(refused));
  expect(typeof large === "string" ? large : large.state).toMatch(/memory|failed/);
  const fits = await run(LARGE, { limits: { memory_mib: 512 } });
  expect((await house.api.over(fits.id)).state, "the same within its limit").not.toBe("running");
  expect(await tab.evaluate(() => seen.at(-1)?.state)).not.toBe("stopped");
  bomb.add("huge data segments and a lying size do not begin");
  await tab.context().close();
});
