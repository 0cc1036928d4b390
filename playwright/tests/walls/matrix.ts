// Runs probes inside the walls and in their broken twins, and judges both: inside, no canary may hear and nothing
// may succeed; the twin must be noticed.

import { expect, type Browser, type Frame, type Page, type Worker } from "@playwright/test";
import { expression, type Outcome, type Probe } from "./probe";
import { startCanary, type Canary } from "./canary";

/** How long a broken twin may take until its canary hears it. */
const TWIN_MS_MAX = 8_000;
/** What became of a probe inside. */
export interface Row {
  probe: Probe;
  token: string;
  outcome: Outcome;
}

/** A token is a part of addresses, of names and of a policy: no spaces. */
export const tokenOf = (place: string, probe: Probe) => `${place}-${probe.name.replaceAll(/[^A-Za-z]+/g, "-")}`;

/** Two sets of canaries, so that a connection that says nothing is known to be the twin's. */
export interface Canaries {
  inside: Canary;
  outside: Canary;
  stop(): Promise<void>;
}

export async function startCanaries(): Promise<Canaries> {
  const [inside, outside] = [await startCanary(), await startCanary()];
  return { inside, outside, stop: async () => void (await Promise.all([inside.stop(), outside.stop()])) };
}

/** The blob worker of a page; a hub is a worker too. */
export async function slotOf(page: Page): Promise<Worker> {
  const slot = () => page.workers().find((worker) => worker.url().startsWith("blob:"));
  await expect.poll(() => slot() !== undefined, { message: "a slot starts" }).toBe(true);
  return slot()!;
}

export function probeWorker(worker: Worker, place: string, probes: Probe[], canary: Canary): Promise<Row[]> {
  return Promise.all(
    probes.map(async (probe) => {
      const token = tokenOf(place, probe);
      return { probe, token, outcome: (await worker.evaluate(expression(probe, canary.at(token)))) as Outcome };
    }),
  );
}

/** An address for the frame of a probe. */
export type AddressOf = (token: string, probe: Probe) => string;

/** Each probe in a frame of its own, which the page opens as it opens the sandbox frame; a twin's has no `sandbox`. */
export function probeFrames(page: Page, addressOf: AddressOf, sandbox: string | null, probes: Probe[], canary: Canary): Promise<Row[]> {
  return Promise.all(probes.map((probe) => probeFrame(page, addressOf, sandbox, probe, canary)));
}

async function probeFrame(page: Page, addressOf: AddressOf, sandbox: string | null, probe: Probe, canary: Canary): Promise<Row> {
  const token = tokenOf("frame", probe);
  const frame = await openFrame(page, token, addressOf(token, probe), sandbox);
  // What navigates takes the answer with it.
  const outcome = await frame.evaluate(expression(probe, canary.at(token))).catch(() => "gone");
  return { probe, token, outcome: outcome as Outcome };
}

export async function openFrame(page: Page, name: string, src: string, sandbox: string | null): Promise<Frame> {
  await page.evaluate(
    ([name, src, sandbox]) =>
      new Promise<void>((resolve) => {
        const frame = Object.assign(document.createElement("iframe"), { name, src, onload: () => resolve() });
        if (sandbox !== null) frame.setAttribute("sandbox", sandbox as string);
        document.body.append(frame);
      }),
    [name, src, sandbox] as const,
  );
  const frame = page.frame({ name });
  if (!frame) throw new Error(`the frame ${name} did not open`);
  return frame;
}

/** Nothing got out. Asked when the twins were heard: what left before them would have arrived. */
export function nothingGotOut(rows: Row[], canary: Canary): void {
  for (const { probe, token, outcome } of rows) {
    expect.soft(outcome, `${token}: ${probe.name}`).not.toBe("succeeded");
    expect.soft(canary.heard(token), `${token}: ${probe.name} reached its canary`).toBe(0);
  }
  for (const listener of ["tcp:", "udp:"]) expect.soft(canary.heard(listener), `the ${listener} canary`).toBe(0);
}

/** Twins that there can be and that were not noticed. */
function unnoticed(rows: Row[], canary: Canary): Row[] {
  const missed = ({ probe, token, outcome }: Row) => outcome !== "succeeded" && canary.heard(probe.heard ?? token) === 0;
  return rows.filter((row) => !row.probe.twinless && missed(row));
}

/** The twins that were not noticed in time: a busy machine is late, and neighbours disturb each other. */
export async function missedTwins(rows: Row[], canary: Canary): Promise<Row[]> {
  const missed = () => unnoticed(rows, canary).length;
  await expect.poll(missed, { timeout: TWIN_MS_MAX }).toBe(0).catch(() => undefined);
  return unnoticed(rows, canary);
}

/** Every twin that there can be was noticed. */
export async function twinsAreNoticed(rows: Row[], canary: Canary): Promise<void> {
  const told = () => unnoticed(rows, canary).map(({ probe, outcome }) => `${probe.name}: ${outcome}`);
  await expect.poll(told, { timeout: TWIN_MS_MAX, message: "broken twins that were not noticed" }).toEqual([]);
}

/** A page without walls, at the canary's own address. */
export async function openPage(browser: Browser, canary: Canary, path = "/"): Promise<Page> {
  const context = await browser.newContext({ permissions: ["geolocation", "notifications", "clipboard-read", "clipboard-write"], geolocation: { latitude: 1, longitude: 1 } });
  const page = await context.newPage();
  await page.goto(`${canary.origin}${path}`);
  await page.evaluate(echo);
  return page;
}

/** Runs in a page: answers whoever can reach it by the name of a channel. */
export function echo(): void {
  const channel = new BroadcastChannel("walls");
  channel.onmessage = ({ data }) => channel.postMessage(`echo ${data}`);
}

/** A blob worker without walls. */
export async function openWorker(page: Page): Promise<Worker> {
  const started = page.waitForEvent("worker");
  await page.evaluate(() => void new Worker(URL.createObjectURL(new Blob([""], { type: "text/javascript" }))));
  return started;
}
