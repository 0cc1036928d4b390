// What happens to a job, as server-sent events; taken up again where they broke off.

import { ElytraError } from "./errors.js";
import type { Event, Job } from "./generated/api.js";
import { backoffMs, type Http, problemOf, sleep } from "./http.js";

/** How a job stands, told at most four times a second. */
export interface Progress {
  /** Items known so far. */
  readonly items: number;
  /** Whether more items may come. */
  readonly open: boolean;
  /** Items whose output is stored. */
  readonly done: number;
  /** Items a second, lately. */
  readonly itemsPerSecond: number;
  /** Predicted milliseconds to the end, when it can be said. */
  readonly remainingMs: number | undefined;
  /** The job's state. */
  readonly state: Job["state"];
}

const OVER = new Set(["succeeded", "failed", "canceled"]);

/** Whether nothing more will happen to the job. */
export function isOver(state: Job["state"]): boolean {
  return OVER.has(state);
}

interface Last {
  /** The number of the last event that was read. */
  id: string | undefined;
  /** When the connection was seen to work last. */
  aliveMs: number;
}

/** How the job stands now, and after every change, until it is over. */
export async function* progress(http: Http, id: string, signal?: AbortSignal): AsyncGenerator<Progress> {
  const last: Last = { id: undefined, aliveMs: Date.now() };
  for (let tries = 0; ; ) {
    try {
      for await (const now of watch(http, id, last, signal)) {
        tries = 0;
        yield now;
        if (isOver(now.state)) return;
      }
    } catch (error) {
      signal?.throwIfAborted();
      const known = error instanceof ElytraError && error.code !== "unreachable";
      if (known && error.status !== 503) throw error;
      if (Date.now() - last.aliveMs > http.door.patienceMs) throw known ? error : http.unreachable(error);
    }
    await sleep(backoffMs(tries++), signal);
  }
}

/** One connection: subscribed first, then read afresh, so that nothing falls between. */
async function* watch(http: Http, id: string, last: Last, signal?: AbortSignal): AsyncGenerator<Progress> {
  const headers: Record<string, string> = last.id ? { "last-event-id": last.id } : {};
  const stop = new AbortController();
  const pass = () => stop.abort(signal?.reason);
  signal?.addEventListener("abort", pass, { once: true });
  let connected = false;
  try {
    const answer = await http.send(`events?job=${id}`, { headers, signal: stop.signal });
    if (!answer.ok) throw await problemOf(answer);
    connected = true;
    let job = await http.json<Job>(`jobs/${id}`, { signal });
    yield ofJob(job);
    for await (const event of eventsOf(answer, last)) {
      if (event.kind === "missed") job = await http.json<Job>(`jobs/${id}`, { signal });
      else if (event.kind === "job_changed") job = event.job;
      else if (event.kind === "job_progress") {
        job = { ...job, counts: event.counts, items_per_second: event.items_per_second, remaining_ms: event.remaining_ms ?? null };
      }
      yield ofJob(job);
    }
  } finally {
    signal?.removeEventListener("abort", pass);
    if (connected) last.aliveMs = Date.now();
    stop.abort();
  }
}

function ofJob({ counts, items_per_second, remaining_ms, state }: Job): Progress {
  return {
    items: counts.items,
    open: counts.items_open,
    done: counts.items_accepted,
    itemsPerSecond: items_per_second ?? 0,
    remainingMs: remaining_ms ?? undefined,
    state,
  };
}

/** `id:` and `data:` lines; an empty line ends an event. */
async function* eventsOf(answer: Response, last: Last): AsyncGenerator<Event> {
  if (!answer.body) return;
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let data = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("id:")) last.id = line.slice(3).trim();
      else if (line.startsWith("data:")) data += line.slice(5);
      else if (line === "" && data) {
        yield JSON.parse(data) as Event;
        data = "";
      }
    }
  }
}
