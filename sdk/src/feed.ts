// Feeds an open job: takes from the caller's iterable only as much as may be in flight, many items a request.

import { ElytraError } from "./errors.js";
import type { ItemsAdded, Job } from "./generated/api.js";
import { backoffMs, type Http, sleep } from "./http.js";
import { lineOf } from "./input.js";

/** Most items of one request. */
const BATCH_ITEMS_MAX = 8_192;
/** Characters after which a request is sent; its limit is 8 MiB. */
const BATCH_CHARS = 1 << 20;
/** How long the first item of a batch waits for others of a slow source. */
const BATCH_MS = 5;

/** Counts what is on its way: items sent whose results were not taken yet. */
export class Window {
  readonly max: number;
  #sent = 0;
  #taken = 0;
  #wake: (() => void) | undefined;

  constructor(max: number) {
    if (!Number.isSafeInteger(max) || max < 1) throw new ElytraError("option", `inFlight must be a whole number of at least 1, not ${max}`);
    this.max = max;
  }

  sent(count: number): void {
    this.#sent += count;
  }

  /** Of what was sent, this much was taken, all in all. */
  takenUpTo(count: number): void {
    this.#taken = Math.max(this.#taken, count);
    this.wake();
  }

  /** Has whoever waits for room look again. */
  wake(): void {
    this.#wake?.();
  }

  get room(): number {
    return Math.max(0, this.max - (this.#sent - this.#taken));
  }

  /** Resolves when something may be sent; `wake` must be called when the signal is aborted. */
  async roomy(signal: AbortSignal): Promise<void> {
    while (this.room === 0) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    signal.throwIfAborted();
  }
}

/** Sends everything that the source yields, then closes the job. */
export async function feed(http: Http, job: string, source: Iterable<unknown> | AsyncIterable<unknown>, window: Window, signal: AbortSignal): Promise<void> {
  const batches = Symbol.asyncIterator in source ? slowly(source, window, signal) : quickly(source, window, signal);
  let sent = 0;
  signal.addEventListener("abort", () => window.wake(), { once: true });
  for await (const { lines, count } of batches) {
    await append(http, job, lines, sent, count, signal);
    sent += count;
  }
  await http.json<Job>(`jobs/${job}/close`, { method: "POST", signal, repeatable: true });
}

interface Batch {
  lines: string;
  count: number;
}

/** Batches of an iterable: as long as there is room, without waiting in between. */
async function* quickly(source: Iterable<unknown>, window: Window, signal: AbortSignal): AsyncGenerator<Batch> {
  let lines = "";
  let count = 0;
  let index = 0;
  for (const item of source) {
    lines += `${lineOf(item, index++)}\n`;
    count++;
    window.sent(1);
    if (count >= BATCH_ITEMS_MAX || lines.length >= BATCH_CHARS || window.room === 0) {
      yield { lines, count };
      lines = "";
      count = 0;
      await window.roomy(signal);
    }
  }
  if (count > 0) yield { lines, count };
}

/** Batches of an async iterable: what is there within a few milliseconds of the first item. */
async function* slowly(source: AsyncIterable<unknown>, window: Window, signal: AbortSignal): AsyncGenerator<Batch> {
  const iterator = source[Symbol.asyncIterator]();
  let index = 0;
  let coming: Promise<IteratorResult<unknown>> | undefined;
  try {
    for (;;) {
      await window.roomy(signal);
      let lines = "";
      let count = 0;
      let until = Number.POSITIVE_INFINITY;
      let done = false;
      while (count < BATCH_ITEMS_MAX && lines.length < BATCH_CHARS && window.room > 0) {
        coming ??= iterator.next();
        const got = await soon(coming, until - Date.now(), signal);
        if (got === undefined) break;
        coming = undefined;
        done = got.done === true;
        if (done) break;
        lines += `${lineOf(got.value, index++)}\n`;
        count++;
        window.sent(1);
        if (count === 1) until = Date.now() + BATCH_MS;
      }
      if (count > 0) yield { lines, count };
      if (done) return;
    }
  } finally {
    // Not awaited: a source that is waiting for something would never answer.
    void iterator.return?.()?.catch(() => {});
  }
}

/** The value when it comes within the time, else nothing. */
async function soon<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: (() => void) | undefined;
  const ended = new Promise<undefined>((resolve, reject) => {
    if (Number.isFinite(ms)) timer = setTimeout(() => resolve(undefined), Math.max(0, ms));
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, ended]);
  } finally {
    clearTimeout(timer);
    if (stop) signal.removeEventListener("abort", stop);
  }
}

/** Appends once, also when an answer is lost: how many items the job has says whether it was taken. */
async function append(http: Http, job: string, lines: string, before: number, count: number, signal: AbortSignal): Promise<void> {
  const headers = { "content-type": "application/x-ndjson" };
  const until = Date.now() + http.door.patienceMs;
  for (let tries = 0; ; tries++) {
    try {
      await http.json<ItemsAdded>(`jobs/${job}/items`, { method: "POST", body: lines, headers, signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      const lost = error instanceof ElytraError && error.code === "unreachable";
      if (!lost || Date.now() > until) throw error;
    }
    await sleep(backoffMs(tries), signal);
    const { counts } = await http.json<Job>(`jobs/${job}`, { signal });
    if (counts.items >= before + count) return;
  }
}
