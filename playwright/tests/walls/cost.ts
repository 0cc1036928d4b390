// What a browser's pages cost: time of the processor and resident memory, as the browser and the kernel tell it.
// Figures go to `out/figures`, a line each.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Browser, CDPSession } from "@playwright/test";

const FIGURES = new URL("../../../out/figures/", import.meta.url);
/** Long enough that the clock's step of 10 ms is no more than a few hundredths. */
const SHARE_MS = 400;
/** How often the kernel is asked for the time of each thread, which it counts in nanoseconds. */
const SAMPLE_MS = 50;
const KIB_PER_MIB = 1024;

export interface Cost {
  /** Percent of one core that all pages take now. */
  cpuPercent(): Promise<number>;
  /** Waits until all pages take less than that much of a core for a while; when that while began, by the clock. */
  quietSince(percent: number, patienceMs: number): Promise<number>;
  /** Forgets how much memory the pages had at most; what is resident now, in MiB. */
  beginMemory(): Promise<number>;
  /** The most that was resident since, in MiB. */
  memoryMibMax(): Promise<number>;
}

export async function costOf(browser: Browser): Promise<Cost> {
  const session = await browser.newBrowserCDPSession();
  const sum = async (field: string) => (await pages(session)).reduce((all, { id }) => all + mib(id, field), 0);
  return {
    async cpuPercent() {
      const seconds = async () => (await pages(session)).reduce((all, { cpuTime }) => all + cpuTime, 0);
      const [since, before] = [performance.now(), await seconds()];
      await new Promise((resolve) => setTimeout(resolve, SHARE_MS));
      return (100_000 * ((await seconds()) - before)) / (performance.now() - since);
    },
    async quietSince(percent, patienceMs) {
      const until = Date.now() + patienceMs;
      const samples: Sample[] = [];
      while (Date.now() < until) {
        const now = sample((await pages(session)).map(({ id }) => id));
        samples.push(now);
        while (samples[1] && now.atMs - samples[1].atMs >= SHARE_MS) samples.shift();
        const [from] = samples;
        if (from && now.atMs - from.atMs >= SHARE_MS && percentBetween(from, now) < percent) return from.atMs;
        await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
      }
      throw new Error(`the pages took ${percent} % of a core and more for ${patienceMs} ms`);
    },
    async beginMemory() {
      // 5: the peak begins anew, at what is resident now.
      for (const { id } of await pages(session)) writeFileSync(`/proc/${id}/clear_refs`, "5");
      return sum("VmRSS");
    },
    memoryMibMax: () => sum("VmHWM"),
  };
}

/** What each thread of some processes had of the processor, in nanoseconds. */
interface Sample {
  atMs: number;
  threads: Map<string, number>;
}

function sample(processes: number[]): Sample {
  const threads = new Map<string, number>();
  for (const id of processes) {
    for (const thread of list(`/proc/${id}/task`)) threads.set(`${id}/${thread}`, Number(text(`/proc/${id}/task/${thread}/schedstat`).split(" ")[0]));
  }
  return { atMs: Date.now(), threads };
}

function percentBetween(from: Sample, to: Sample): number {
  let ns = 0;
  for (const [thread, had] of to.threads) ns += had - (from.threads.get(thread) ?? 0);
  return ns / 1e4 / (to.atMs - from.atMs);
}

/** A thread or a process that ends meanwhile takes nothing any more. */
function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "0";
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

async function pages(session: CDPSession): Promise<{ id: number; cpuTime: number }[]> {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  return processInfo.filter(({ type }) => type === "renderer");
}

function mib(id: number, field: string): number {
  const status = readFileSync(`/proc/${id}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / KIB_PER_MIB;
}

/** One line for the page of figures. */
export function tell(name: string, figure: number, unit: string, limit: number): void {
  mkdirSync(FIGURES, { recursive: true });
  const line = { name, figure: Math.round(figure * 10) / 10, unit, limit, pass: figure <= limit };
  appendFileSync(new URL("tab-walls.jsonl", FIGURES), `${JSON.stringify(line)}\n`);
  console.log(`${name}: ${line.figure} ${unit} (at most ${limit})`);
}
