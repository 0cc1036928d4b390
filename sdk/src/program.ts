// What a job may run: a function as it stands, a task (a module's export), a WebAssembly module, or a program
// that the server knows already.

import { ElytraError } from "./errors.js";
import type { AnyFunction } from "./script/inline.js";

/** Anything that turns an item into an output. */
export type Runnable<I, O> = ((item: I, params: any) => O) | Program<I, O>;

/** Where a task's function stands. */
export interface TaskPlace {
  /** The module's URL. */
  readonly url: string;
  /** The function's own name; empty for an anonymous one. */
  readonly name: string;
  /** It is the module's task number `ordinal`, from 0: finds an anonymous one among the exports. */
  readonly ordinal: number;
}

const TASKS = new WeakMap<AnyFunction, TaskPlace>();
const TASKS_OF_MODULE = new Map<string, number>();

/**
 * Makes a module's export a task: `export const square = task(import.meta, (x: number) => x * x)`.
 * It stays an ordinary function; given to a job, its module is bundled and sent instead of its text, so that it
 * may use whatever it imports.
 */
export function task<F extends AnyFunction>(module: ImportMeta | string | { url: string }, fn: F): F {
  const url = typeof module === "string" ? module : (module as { url: string } | undefined)?.url;
  if (typeof url !== "string") throw new ElytraError("task", "task: the first argument must be import.meta (or import.meta.url), which says where the module is");
  if (typeof fn !== "function") throw new ElytraError("task", `task: the second argument must be a function, not ${typeof fn}`);
  const ordinal = TASKS_OF_MODULE.get(url) ?? 0;
  TASKS_OF_MODULE.set(url, ordinal + 1);
  TASKS.set(fn, { url, name: fn.name, ordinal });
  return fn;
}

/** Where a function's module is, when it is a task. */
export function placeOf(fn: AnyFunction): TaskPlace | undefined {
  return TASKS.get(fn);
}

/** A WebAssembly module's bytes, or where they are. */
export type WasmSource = URL | string | BufferSource;

/** What a command is given beside its standard input. */
export interface CommandOptions {
  /** Arguments behind the program's name. */
  args?: string[];
  /** Environment variables. */
  env?: Record<string, string>;
  /** Read-only files by path. */
  files?: Record<string, string | Uint8Array>;
  /** A process for every item instead of one for a shard's items, a line each. */
  each?: boolean;
  /** Where the program's chance begins. */
  seed?: number;
}

/** Which entry of a module, and with what. */
export interface WasmOptions extends CommandOptions {
  /** The entry; a command's only one is `main`, a kernel with a single entry needs none. */
  entry?: string;
  /** Parameters of a kernel. */
  params?: unknown;
}

/** A program that is not a function here. */
export class Program<I = unknown, O = unknown> {
  /** Its name or hash at the server, where it is there. */
  readonly name: string | undefined;
  /** Its bytes or where they are, where it is not. */
  readonly source: WasmSource | undefined;
  readonly entry: string | undefined;
  readonly params: unknown;
  /** Only types; never there. */
  declare readonly types?: (item: I) => O;

  constructor(of: { name?: string; source?: WasmSource; entry?: string | undefined; params?: unknown }) {
    this.name = of.name;
    this.source = of.source;
    this.entry = of.entry;
    this.params = of.params;
  }
}

/** An entry of a program that the server knows, by name or hash: `program("rust-core", "mersenne")`. */
export function program<I = unknown, O = unknown>(name: string, entry: string, params?: unknown): Program<I, O> {
  return new Program({ name, entry, params });
}

/** A WebAssembly module, kernel or WASI command, from its bytes or an address. */
export function wasm<I = unknown, O = unknown>(source: WasmSource, options: WasmOptions = {}): Program<I, O> {
  const { entry, params, ...command } = options;
  const given = Object.fromEntries(Object.entries(command).filter(([, value]) => value !== undefined));
  if (Object.keys(given).length === 0) return new Program({ source, entry, params });
  if (params !== undefined) throw new ElytraError("wasm", "wasm: params are for kernels; args, env, files, each and seed for commands: give one or the other");
  return new Program({ source, entry: entry ?? "main", params: { ...given, ...(command.files ? { files: filesOf(command.files) } : {}) } });
}

/** Text stays text; bytes travel in base64. */
function filesOf(files: Record<string, string | Uint8Array>): Record<string, unknown> {
  const entries = Object.entries(files).map(([path, content]) => [path, typeof content === "string" ? content : { base64: toBase64(content) }]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
