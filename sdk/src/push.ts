// Brings functions and modules to the server, each once, and knows them by their hash from then on.

import { ElytraError } from "./errors.js";
import type { Program as Pushed } from "./generated/api.js";
import type { Http } from "./http.js";
import type { Target } from "./options.js";
import type { Platform } from "./platform.js";
import type { Program as AnyProgram, WasmSource } from "./program.js";
import { Recent } from "./recent.js";
import { compose, type Plan } from "./script/compose.js";
import { mapStack, type SourceMap } from "./script/sourcemap.js";

/** Scripts that are not uploaded again; a program makes few. */
const SCRIPTS_KNOWN_MAX = 64;

/** Whatever its items and outputs are. */
type Program = AnyProgram<never, unknown>;

/** A program at the server, and how to read its stacks. */
export interface Ready extends Target {
  /** Rewrites a stack to the author's files and lines. */
  readonly mapped: (stack: string) => string;
  /** Whether outputs are those of the settled wrapper. */
  readonly settled: boolean;
}

/** Uploads what is not there yet. */
export class Pusher {
  readonly #http: Http;
  readonly #platform: Platform;
  readonly #scripts = new Recent<string, Promise<Pushed>>(SCRIPTS_KNOWN_MAX);
  readonly #modules = new WeakMap<Program, Promise<Pushed>>();

  constructor(http: Http, platform: Platform) {
    this.#http = http;
    this.#platform = platform;
  }

  /** What a plan of functions needs. */
  async script(plan: Plan): Promise<Ready> {
    const composed = compose(plan);
    const { text, map } = composed.places.length > 0 ? await this.#platform.bundle(composed) : { text: composed.text, map: undefined };
    const pushed = await once(this.#scripts, text, () => this.#upload(text, "text/javascript", composed.file));
    const { entry, reduceEntry, file } = composed;
    return { program: pushed.hash, entry, reduceEntry, settled: plan.settled, mapped: mapper(file, map) };
  }

  /** A module, or a program that is there. */
  async program(program: Program, reduce?: Program): Promise<Ready> {
    const name = program.name ?? (await this.#module(program)).hash;
    const entry = program.entry ?? onlyEntry(await this.#module(program));
    const other = reduce && (reduce.name ?? (reduce === program ? name : (await this.#module(reduce)).hash));
    if (other && other !== name) {
      throw new ElytraError("reduce", "mapReduce: both steps must come from one program; export both from one module, or run two jobs");
    }
    return { program: name, entry, reduceEntry: reduce?.entry, params: program.params, settled: false, mapped: (stack) => stack };
  }

  #module(program: Program): Promise<Pushed> {
    const { source } = program;
    if (source === undefined) throw new ElytraError("program", `program: say which entry of '${program.name}' to run, as in program("${program.name}", "entry")`);
    return once(this.#modules, program, async () => {
      const bytes = await this.#bytes(source);
      return await this.#upload(bytes, "application/wasm");
    });
  }

  async #bytes(source: WasmSource): Promise<BufferSource> {
    return typeof source === "string" || source instanceof URL ? ((await this.#platform.read(source)) as BufferSource) : source;
  }

  #upload(body: BodyInit, type: string, file?: string): Promise<Pushed> {
    const query = file ? `?file=${encodeURIComponent(file)}` : "";
    return this.#http.json<Pushed>(`programs${query}`, { method: "POST", body, headers: { "content-type": type }, repeatable: true });
  }
}

function onlyEntry({ description: { entries, name } }: Pushed): string {
  const [first, ...others] = entries;
  if (first && others.length === 0) return first.name;
  const listed = entries.map((entry) => entry.name).join(", ") || "none";
  throw new ElytraError("entry", `wasm: '${name}' has more than one entry, or none; say which with { entry } (there are: ${listed})`);
}

function mapper(file: string, map: SourceMap | undefined): (stack: string) => string {
  return map ? (stack) => mapStack(stack, file, map) : (stack) => stack;
}

/** What was made before, or is being made; a failure is forgotten. */
function once<K, V>(known: { get(key: K): Promise<V> | undefined; set(key: K, value: Promise<V>): unknown; delete(key: K): unknown }, key: K, make: () => Promise<V>): Promise<V> {
  const before = known.get(key);
  if (before) return before;
  const making = make();
  known.set(key, making);
  making.catch(() => known.delete(key));
  return making;
}
