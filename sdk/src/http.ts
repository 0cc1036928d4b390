// Requests to a coordinator: the token, problems as errors, patience while it is away or too busy.

import { ElytraError } from "./errors.js";
import type { Problem } from "./generated/api.js";

/** First wait after a failed try; it doubles up to the longest. */
const WAIT_MS_FIRST = 50;
const WAIT_MS_MAX = 2_000;

export interface Door {
  /** Such as `http://127.0.0.1:4750`. */
  readonly server: string;
  readonly token: string | undefined;
  readonly fetch: typeof fetch;
  /** How long a server that cannot be reached, or refuses for the moment, is tried again. */
  readonly patienceMs: number;
}

export interface Asked {
  method?: "GET" | "POST" | "DELETE";
  body?: BodyInit | undefined;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Ends only the waiting between tries: a request on its way is let finish, so that its answer is known. */
  impatient?: AbortSignal | undefined;
  /** Whether a request whose answer was lost may be sent again. True for GET and for what carries a key. */
  repeatable?: boolean;
  /** `half` for a body that is a stream. */
  duplex?: string;
}

/** Speaks with one server. */
export class Http {
  readonly door: Door;

  constructor(door: Door) {
    this.door = door;
  }

  /** An answer of status 2xx as JSON. */
  async json<T>(path: string, asked: Asked = {}): Promise<T> {
    const answer = await this.answer(path, asked);
    return (await answer.json()) as T;
  }

  /** An answer of status 2xx; tried again as long as patience lasts. */
  async answer(path: string, asked: Asked = {}): Promise<Response> {
    const until = Date.now() + this.door.patienceMs;
    for (let tries = 0; ; tries++) {
      const { answer, error, waitMs } = await this.#once(path, asked, tries);
      if (answer) return answer;
      if (waitMs === undefined || Date.now() + waitMs > until) throw error;
      await sleep(waitMs, asked.signal ?? asked.impatient);
    }
  }

  async #once(path: string, asked: Asked, tries: number): Promise<{ answer?: Response; error?: unknown; waitMs?: number }> {
    let answer: Response;
    try {
      answer = await this.send(path, asked);
    } catch (cause) {
      asked.signal?.throwIfAborted();
      const again = asked.repeatable ?? (asked.method ?? "GET") === "GET";
      return { error: this.unreachable(cause), ...(again ? { waitMs: backoffMs(tries) } : {}) };
    }
    if (answer.ok) return { answer };
    const error = await problemOf(answer);
    // 429, 503 and 507 say that nothing was done.
    const busy = [429, 503, 507].includes(answer.status);
    return { error, ...(busy ? { waitMs: retryAfterMs(answer) ?? backoffMs(tries) } : {}) };
  }

  /** One try, whatever is answered. */
  send(path: string, { method = "GET", body, headers = {}, signal, duplex }: Asked): Promise<Response> {
    const { server, token, fetch: ask } = this.door;
    const all = { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers };
    const more = { ...(body === undefined ? {} : { body }), ...(signal ? { signal } : {}), ...(duplex ? { duplex } : {}) };
    return ask(`${server}/api/v1/${path}`, { method, headers: all, ...more });
  }

  unreachable(cause: unknown): ElytraError {
    const why = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause);
    const advice = `start one with \`elytra dev\`, or name another with Elytra.connect({ server }) or ELYTRA_SERVER`;
    return new ElytraError("unreachable", `no answer from ${this.door.server} (${why}): ${advice}${foreign(this.door.server)}`, { cause });
  }
}

/** A browser does not tell a page of another origin why it gets no answer. */
function foreign(server: string): string {
  const here = globalThis.location?.origin;
  if (!here || here === "null" || new URL(server).origin === here) return "";
  return `; a server that runs must allow this page's origin: ELYTRA_CORS_ORIGINS=${here}`;
}

/** The error in an answer that is not 2xx. */
export async function problemOf(answer: Response): Promise<ElytraError> {
  const text = await answer.text().catch(() => "");
  try {
    const problem = JSON.parse(text) as Problem;
    if (problem.type && problem.title) return ElytraError.of(problem);
  } catch {
    // Not from a coordinator: a proxy, or another server.
  }
  const advice = "is this the address of an Elytra coordinator?";
  return new ElytraError("http", `the server answered ${answer.status}: ${advice}`, { status: answer.status });
}

/** How long to wait before the next try, a little by chance so that clients do not come together. */
export function backoffMs(tries: number): number {
  const most = Math.min(WAIT_MS_MAX, WAIT_MS_FIRST * 2 ** tries);
  return most / 2 + (Math.random() * most) / 2;
}

/** What a busy server asks for. */
export function retryAfterMs(answer: Response): number | undefined {
  const seconds = Number(answer.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
}

/** Waits, and throws the signal's reason when it comes first. */
export function sleep(ms: number, signal?: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
