// A job, seen from here: submitted when its turn comes, fed where its items are still to come, read as it goes.

import { ElytraError, itemOfDetail, JobError, TaskError } from "./errors.js";
import { isOver, type Progress, progress } from "./events.js";
import { feed, Window } from "./feed.js";
import type { BlobSpec, ErrorGroups, Job as Standing, Blob as Stored } from "./generated/api.js";
import type { Http } from "./http.js";
import { type Inputs, sourceOf } from "./input.js";
import { IN_FLIGHT_DEFAULT, type MapOptions, specOf } from "./options.js";
import type { Ready } from "./push.js";
import { type FailedItems, type Order, results } from "./results.js";
import type { SettledOutput } from "./script/compose.js";
import { Sequence } from "./sequence.js";

/** One result of `settled()`. */
export type Settled<O> =
  | { readonly status: "fulfilled"; readonly index: number; readonly value: O }
  | { readonly status: "rejected"; readonly index: number; readonly reason: TaskError };

/** What is submitted, when it is. */
export interface Submission {
  readonly inputs: Inputs<unknown>;
  readonly options: MapOptions & { fanIn?: number | undefined };
  /** The program, with the wrapper for settled results or without. */
  readonly ready: (settled: boolean) => Promise<Ready>;
}

interface Running {
  /** Absent when there is nothing to do. */
  readonly id: string | undefined;
  readonly ready: Ready | undefined;
  readonly window: Window | undefined;
}

/** Where a job came from: submitted here, or known by its id. */
export type Origin = { readonly order: Submission } | { readonly id: string; readonly order?: undefined };

/** A job: `await` it for a list, `for await` over it as results come, or ask how it stands. */
export class Job<O = unknown> extends Sequence<O> {
  readonly #http: Http;
  readonly #origin: Origin;
  readonly #running: Promise<Running>;
  readonly #stop = new AbortController();
  #begun = false;
  #settled = false;
  #over = false;
  #feedError: { error: unknown } | undefined;

  constructor(http: Http, origin: Origin) {
    super(() => this.#outputs() as AsyncGenerator<O[]>);
    this.#http = http;
    this.#origin = origin;
    // In a turn of its own, so that `.settled()` can be said first.
    this.#running = Promise.resolve().then(() => this.#begin());
    // Whoever awaits or iterates hears of it; nobody has to.
    this.#running.catch(() => {});
  }

  /** The job's id, once it is submitted; with `elytra.job(id)` it is found again from anywhere. */
  async id(): Promise<string> {
    const { id } = await this.#running;
    if (id === undefined) throw new ElytraError("empty", "there is no job: the inputs hold no item");
    return id;
  }

  /** Every item's fate, failures too. Must be said at once: `elytra.map(…).settled()`. */
  settled(): Sequence<Settled<O>> {
    if (this.#origin.order) {
      if (this.#begun && !this.#settled) throw new ElytraError("settled", "settled() comes too late, the job is submitted: say elytra.map(…).settled() at once");
      this.#settled = true;
    }
    return new Sequence(() => this.#settlements());
  }

  /** How the job stands, now and after every change, until it is over. */
  async *progress(): AsyncGenerator<Progress, void, undefined> {
    const { id } = await this.#running;
    if (id !== undefined) yield* progress(this.#http, id, this.#stop.signal);
  }

  /** Everything the server knows about it. */
  async status(): Promise<Standing> {
    return await this.#http.json<Standing>(`jobs/${await this.id()}`);
  }

  /** Stops it. What was computed stays readable. */
  async cancel(): Promise<void> {
    const { id } = await this.#running;
    if (id === undefined || this.#over) return;
    this.#stop.abort(new JobError(id, "canceled", `job ${id} was canceled`));
    await this.#cancel(id);
  }

  /** Waits for the end without reading results. Throws when the job failed. */
  async done(): Promise<Standing | undefined> {
    const { id, window } = await this.#running;
    if (id === undefined) return undefined;
    for await (const { done } of progress(this.#http, id, this.#stop.signal)) window?.takenUpTo(done);
    this.#over = true;
    const job = await this.#http.json<Standing>(`jobs/${id}`);
    // The stream of results says which item it was.
    if (job.state === "succeeded") return job;
    for await (const _ of this.#outputs());
    throw await this.#ended(id, job.state);
  }

  async #begin(): Promise<Running> {
    const { order } = this.#origin;
    if (!order) return { id: this.#origin.id, ready: undefined, window: undefined };
    this.#begun = true;
    const { options, inputs } = order;
    options.signal?.throwIfAborted();
    const source = sourceOf(inputs);
    if (!source) return { id: undefined, ready: undefined, window: undefined };
    const window = source.feed && new Window(options.inFlight ?? IN_FLIGHT_DEFAULT);
    const ready = await order.ready(this.#settled);
    const input = source.feed ? { open: {} } : "lines" in source ? { blob: await this.#stored(source.lines) } : source.input;
    const spec = specOf(ready, input, this.#settled ? { onFailure: "skip", ...options } : options);
    const headers = { "content-type": "application/json", "idempotency-key": key() };
    // Not cut off by the signal: a job whose id is not known could not be canceled.
    const asked = { method: "POST" as const, body: JSON.stringify(spec), headers, repeatable: true, impatient: options.signal };
    const job = await this.#http.json<Standing>("jobs", asked);
    this.#obey(job.id, options.signal);
    if (source.feed && window) void this.#feed(job.id, source.feed, window);
    if (options.onProgress) void this.#report(job.id, options.onProgress);
    return { id: job.id, ready, window };
  }

  async #stored(lines: Blob): Promise<BlobSpec> {
    const { hash } = await this.#http.json<Stored>("blobs", { method: "POST", body: lines, repeatable: true });
    return { blob: hash };
  }

  #obey(id: string, signal: AbortSignal | undefined): void {
    const stop = () => {
      this.#stop.abort(signal?.reason);
      if (!this.#over) this.#cancel(id).catch(() => {});
    };
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
    this.#stop.signal.addEventListener("abort", () => signal?.removeEventListener("abort", stop), { once: true });
  }

  async #feed(id: string, source: Iterable<unknown> | AsyncIterable<unknown>, window: Window): Promise<void> {
    try {
      await feed(this.#http, id, source, window, this.#stop.signal);
    } catch (error) {
      // A job that failed takes no more items; its results say why.
      if (this.#stop.signal.aborted || (error instanceof ElytraError && error.code === "refused")) return;
      this.#feedError = { error };
      await this.#cancel(id).catch(() => {});
    }
  }

  async #report(id: string, tell: (progress: Progress) => void): Promise<void> {
    try {
      for await (const now of progress(this.#http, id, this.#stop.signal)) tell(now);
    } catch {
      // The results say what went wrong.
    }
  }

  async #cancel(id: string): Promise<void> {
    await this.#http.json<Standing>(`jobs/${id}/cancel`, { method: "POST", repeatable: true });
  }

  /** Outputs in batches; throws at the first item that has none. */
  async *#outputs(): AsyncGenerator<unknown[]> {
    const order = this.#order();
    let next = 0;
    let gap = false;
    for await (const { indexes, outputs, failed } of this.#pieces(order)) {
      // A failed job tells what it has; behind a gap that is no answer, only its failure is.
      gap ||= order === "index" && indexes.length > 0 && indexes[0] !== next;
      if (!gap && outputs.length > 0) {
        next = (indexes.at(-1) ?? 0) + 1;
        yield outputs;
      }
      if (failed) throw await this.#failure(failed);
    }
    if (gap) throw await this.#ended(await this.id(), "failed");
  }

  async *#settlements(): AsyncGenerator<Settled<O>[]> {
    const { id, ready } = await this.#running;
    for await (const { indexes, outputs, failed } of this.#pieces(this.#order())) {
      yield outputs.map((output, at): Settled<O> => {
        const index = indexes[at] ?? 0;
        if (!ready?.settled) return { status: "fulfilled", index, value: output as O };
        const { value, error } = output as SettledOutput;
        if (!error) return { status: "fulfilled", index, value: (value ?? null) as O };
        const detail = ready.mapped([error.message, error.stack].filter(Boolean).join("\n"));
        return { status: "rejected", index, reason: new TaskError({ job: id ?? "", index, endIndex: index + 1, cause: "item_failed", detail }) };
      });
      if (failed) yield this.#allFailed(await this.id(), failed, ready);
    }
  }

  #allFailed(job: string, { first, end, cause, detail }: FailedItems, ready: Ready | undefined): Settled<O>[] {
    const told = ready?.mapped(detail) ?? detail;
    return Array.from({ length: end - first }, (_, at) => {
      const index = first + at;
      return { status: "rejected", index, reason: new TaskError({ job, index, endIndex: index + 1, cause, detail: told }) };
    });
  }

  #order(): Order {
    return this.#origin.order?.options.order ?? "index";
  }

  /** The stream of results with all that belongs round it: the window of a feed, the end, leaving early. */
  async *#pieces(order: Order) {
    const { id, window } = await this.#running;
    if (id === undefined) return;
    let taken = 0;
    let ended = false;
    const stream = results(this.#http, id, order, this.#stop.signal);
    try {
      for (;;) {
        const { value, done } = await stream.next();
        if (done) {
          ended = true;
          this.#over = true;
          if (value !== "succeeded") throw await this.#ended(id, value);
          return;
        }
        // A failed shard ends the reading, but nothing is left to cancel.
        ended = value.failed !== undefined;
        yield value;
        taken += value.outputs.length + (value.failed ? value.failed.end - value.failed.first : 0);
        window?.takenUpTo(taken);
        ended = false;
      }
    } finally {
      await stream.return("canceled");
      if (!ended && this.#origin.order && !this.#over) await this.#leave(id);
    }
  }

  /** The reader left early: nobody wants the rest. */
  async #leave(id: string): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(new JobError(id, "canceled", `job ${id} was canceled because its results were not read to the end`));
    await this.#cancel(id).catch(() => {});
  }

  async #failure({ first, end, cause, detail }: FailedItems): Promise<TaskError> {
    const { ready, id } = await this.#running;
    const told = itemOfDetail(detail);
    const index = told.item ?? first;
    const endIndex = told.item === undefined ? end : index + 1;
    this.#stop.abort();
    return new TaskError({ job: id ?? "", index, endIndex, cause, detail: ready?.mapped(told.detail) ?? told.detail });
  }

  /** Why there are no more results. */
  async #ended(id: string, state: Standing["state"]): Promise<unknown> {
    if (this.#feedError) return this.#feedError.error;
    if (this.#stop.signal.aborted && this.#stop.signal.reason !== undefined) return this.#stop.signal.reason;
    const job = await this.#http.json<Standing>(`jobs/${id}`);
    const { groups } = await this.#http.json<ErrorGroups>(`jobs/${id}/errors`);
    const { ready } = await this.#running;
    const [worst] = groups;
    // The results of a reduction do not say which item failed; the errors of its map do.
    const told = worst && !job.reason?.startsWith("stage ") ? itemOfDetail(worst.detail) : undefined;
    if (job.state === "failed" && worst && told?.item !== undefined) {
      const detail = ready?.mapped(told.detail) ?? told.detail;
      return new TaskError({ job: id, index: told.item, endIndex: told.item + 1, cause: worst.cause, detail });
    }
    const why = job.reason ?? worst?.detail ?? `\`elytra explain ${id}\` may say more`;
    return new JobError(id, isOver(state) ? state : job.state, `job ${id} ${state}: ${ready?.mapped(why) ?? why}`);
  }
}

/** A key that no other job has, also where a page is not served securely and randomUUID is missing. */
function key(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
