// The door: connect to a server, or start one, and give it functions.

import { ElytraError } from "./errors.js";
import type { BlobSpec, Encoding, Job as Standing, Blob as Stored, WhoAmI } from "./generated/api.js";
import { type Door, Http, problemOf } from "./http.js";
import { type Inputs, Lines, Range, range } from "./input.js";
import { Job } from "./job.js";
import type { LocalOptions, LocalServer } from "./local.js";
import type { JobOptions, MapOptions, ReduceOptions } from "./options.js";
import { type Platform, WEB } from "./platform.js";
import { Program, type Runnable } from "./program.js";
import { Pusher, type Ready } from "./push.js";
import type { AnyFunction } from "./script/inline.js";

const SERVER_DEFAULT = "http://127.0.0.1:4750";
const PATIENCE_MS_DEFAULT = 60_000;

/** Which server, and as whom. */
export interface ConnectOptions {
  /** Its address; else ELYTRA_SERVER, what `elytra dev` left in this folder, or http://127.0.0.1:4750. */
  server?: string;
  /** Else ELYTRA_TOKEN, or the token that `elytra dev` left in this folder. */
  token?: string;
  /** How long a server that went away is tried again; else a minute. */
  patienceMs?: number;
  /** Asks instead of the global `fetch`. */
  fetch?: typeof fetch;
}

let platform: Platform = WEB;

/** Says where we run; the entry module for Node does. */
export function runOn(given: Platform): void {
  platform = given;
}

/** A connection to a server. */
export class Elytra implements AsyncDisposable {
  /** The server's address. */
  readonly server: string;
  readonly #http: Http;
  readonly #push: Pusher;
  readonly #local: LocalServer | undefined;

  private constructor(door: Door, local?: LocalServer) {
    this.server = door.server;
    this.#http = new Http(door);
    this.#push = new Pusher(this.#http, platform);
    this.#local = local;
  }

  /** Connects, and says at once when the server is not there or the token is worth nothing. */
  static async connect(options: ConnectOptions = {}): Promise<Elytra> {
    const told = options.server ?? (await platform.setting("server")) ?? pageOrigin() ?? SERVER_DEFAULT;
    const server = addressOf(told);
    const token = options.token ?? (await platform.setting("token", server));
    const elytra = new this(doorOf(server, token, options));
    await elytra.#greet();
    return elytra;
  }

  /** Starts a server and a worker of its own; `close()` ends them. For development and tests. */
  static async local(options: LocalOptions & Pick<ConnectOptions, "patienceMs" | "fetch"> = {}): Promise<Elytra> {
    const local = await platform.start(options);
    return new this(doorOf(local.server, local.token, options), local);
  }

  /** Applies a function to every item. */
  map<I, O>(inputs: Inputs<I>, fn: Runnable<I, O>, options: MapOptions = {}): Job<Awaited<O>> {
    return this.#job(inputs, fn as Runnable<unknown, unknown>, options, false) as Job<Awaited<O>>;
  }

  /** Applies a function to every item, which is its list of arguments. */
  starmap<A extends readonly unknown[], O>(inputs: Inputs<A>, fn: (...args: [...A]) => O, options: MapOptions = {}): Job<Awaited<O>> {
    return this.#job(inputs, fn as unknown as Runnable<unknown, unknown>, options, true) as Job<Awaited<O>>;
  }

  /** Applies a function to every item and waits for the end; outputs are not fetched. */
  async forEach<I>(inputs: Inputs<I>, fn: Runnable<I, unknown>, options: JobOptions = {}): Promise<Standing | undefined> {
    return await this.#job(inputs, fn as Runnable<unknown, unknown>, options, false).done();
  }

  /** Applies a function to every number of a range; `parallelFor(n, fn)` counts from 0 to n - 1. */
  parallelFor<O>(over: number | Range | { start?: number; end: number; step?: number }, fn: Runnable<number, O>, options: MapOptions = {}): Job<Awaited<O>> {
    const numbers = typeof over === "number" ? range(over) : over instanceof Range ? over : range(over.start ?? 0, over.end, over.step);
    return this.map(numbers, fn, options);
  }

  /**
   * Joins all items to one with a function of two, on the workers. It must be associative: neighbours are
   * joined first, in a shape that depends on nothing but how many there are, so floating-point results repeat.
   */
  async reduce<T>(inputs: Inputs<T>, fn: ((a: T, b: T) => T | Promise<T>) | Program<T[], T>, options: ReduceOptions<T> = {}): Promise<T> {
    return await this.#reduction(inputs, undefined, fn as never, options);
  }

  /** Applies a function to every item and joins the outputs; see `map` and `reduce`. */
  async mapReduce<I, T>(inputs: Inputs<I>, map: Runnable<I, T | Promise<T>>, reduce: ((a: T, b: T) => T | Promise<T>) | Program<T[], T>, options: ReduceOptions<T> = {}): Promise<T> {
    return await this.#reduction(inputs, map as Runnable<unknown, unknown>, reduce as never, options);
  }

  /** A job by its id, submitted by whomever. Leaving its results early does not cancel it. */
  job<O = unknown>(id: string): Job<O> {
    return new Job<O>(this.#http, { id });
  }

  /** Uploads bytes or a text once; its lines can be items of many jobs. Streams are not gathered in memory. */
  async lines<I = string>(data: BodyInit, options: { encoding?: Encoding } = {}): Promise<Lines<I>> {
    const stream = typeof ReadableStream !== "undefined" && data instanceof ReadableStream;
    // Browsers send streams over HTTP/2 only; what they gather instead they may keep on disk.
    const body = stream && platform === WEB ? await new Response(data).blob() : data;
    const init = { method: "POST" as const, body, ...(body === data && stream ? { duplex: "half" } : { repeatable: true }) };
    const { hash } = await this.#http.json<Stored>("blobs", init);
    const spec: BlobSpec = { blob: hash, encoding: options.encoding ?? "text" };
    return new Lines<I>(spec);
  }

  /** Uploads a function, task or module without running it; gives what `program(hash, entry)` gives. */
  async push<I, O>(what: Runnable<I, O>): Promise<Program<I, O>> {
    const ready = what instanceof Program ? await this.#push.program(what) : await this.#push.script(planOf(what as AnyFunction));
    return new Program<I, O>({ name: ready.program, entry: ready.entry, params: ready.params });
  }

  /** Ends what `Elytra.local()` started; does nothing otherwise. */
  async close(): Promise<void> {
    await this.#local?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #job(inputs: Inputs<unknown>, fn: Runnable<unknown, unknown>, options: MapOptions, spread: boolean): Job {
    const ready = this.#ready(fn, undefined, spread);
    return new Job(this.#http, { order: { inputs, options: named(options, fn), ready } });
  }

  /** How the program comes to the server, once it is known whether failures are results too. */
  #ready(map: Runnable<unknown, unknown> | undefined, reduce: AnyFunction | Program | undefined, spread: boolean): (settled: boolean) => Promise<Ready> {
    if (map instanceof Program || reduce instanceof Program) {
      if (!(map instanceof Program) || (reduce && !(reduce instanceof Program))) {
        throw new ElytraError("reduce", "a program can be reduced only by an entry of the same program, and functions only by functions: give both in one form");
      }
      if (spread) throw new ElytraError("starmap", "starmap is for functions: a program's entry takes one item, so use map with lists as items");
      return () => this.#push.program(map, reduce);
    }
    return (settled) => this.#push.script({ ...planOf(map as AnyFunction | undefined), reduce, spread, settled });
  }

  async #reduction<T>(inputs: Inputs<unknown>, map: Runnable<unknown, unknown> | undefined, reduce: AnyFunction | Program, options: ReduceOptions<T>): Promise<T> {
    if (typeof reduce !== "function" && !(reduce instanceof Program)) throw new ElytraError("reduce", `the reducer must be a function of two, or a program's entry, not ${typeof reduce}`);
    const ready = this.#ready(map, reduce, false);
    const { empty, ...rest } = options;
    const [result, ...others] = (await new Job<T>(this.#http, { order: { inputs, options: named(rest, map ?? reduce), ready } })) as T[];
    if (others.length > 0) throw new ElytraError("reduce", `the server answered ${others.length + 1} results instead of one: is it older than this SDK?`);
    if (result !== undefined) return result;
    if ("empty" in options) return empty as T;
    throw new ElytraError("empty", "there are no items to reduce: give the answer for that case with { empty }");
  }

  async #greet(): Promise<void> {
    let answer: Response;
    try {
      answer = await this.#http.send("whoami", {});
    } catch (cause) {
      throw this.#http.unreachable(cause);
    }
    if (!answer.ok) throw await problemOf(answer);
    (await answer.json()) as WhoAmI;
  }
}

function planOf(map: AnyFunction | undefined) {
  if (map !== undefined && typeof map !== "function") throw new ElytraError("function", `a function, a task, wasm(…) or program(…) is needed, not ${typeof map}`);
  return { map, reduce: undefined, spread: false, settled: false };
}

function named<T extends JobOptions>(options: T, fn: Runnable<unknown, unknown> | AnyFunction): T {
  const name = options.name ?? (fn instanceof Program ? undefined : fn.name);
  return name ? { ...options, name } : options;
}

function doorOf(server: string, token: string | undefined, { patienceMs, fetch: given }: ConnectOptions): Door {
  // The global one must be called on nothing but the global object.
  const ask: typeof fetch = given ?? ((input, init) => fetch(input, init));
  return { server, token, fetch: ask, patienceMs: patienceMs ?? PATIENCE_MS_DEFAULT };
}

/** In a page, the server that served it is the first guess. */
function pageOrigin(): string | undefined {
  const { location } = globalThis as { location?: { origin: string; protocol: string } };
  return location && /^https?:$/.test(location.protocol) ? location.origin : undefined;
}

function addressOf(server: string): string {
  if (/^https?:\/\/[^/]+/.test(server)) return server.replace(/\/+$/, "");
  throw new ElytraError("server", `'${server}' is not an address: it must begin with http:// or https://, as in ${SERVER_DEFAULT}`);
}
