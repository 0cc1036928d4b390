// What a job is applied to: ranges and blobs that the server expands, lists, and items that come while it runs.

import { ElytraError } from "./errors.js";
import type { BlobSpec, InputSpec } from "./generated/api.js";

/** A list of up to this many characters of JSON travels with the job; a longer one as a blob. */
const INLINE_CHARS_MAX = 256 << 10;
/** Items are joined to pieces of about this many characters before they become bytes. */
const PIECE_CHARS = 1 << 20;

/** `start`, `start + step`, … before `end`: expanded where it is computed, never here. */
export class Range implements Iterable<number> {
  readonly start: number;
  readonly end: number;
  readonly step: number;

  constructor(start: number, end: number, step: number) {
    for (const [name, value] of Object.entries({ start, end, step })) {
      if (!Number.isSafeInteger(value)) throw new ElytraError("range", `range: ${name} must be a whole number below 2^53, not ${value}`);
    }
    if (step === 0) throw new ElytraError("range", "range: a step of 0 never reaches the end; use 1, or -1 to count down");
    this.start = start;
    this.end = end;
    this.step = step;
  }

  /** How many numbers there are. */
  get length(): number {
    return Math.max(0, Math.ceil((this.end - this.start) / this.step));
  }

  *[Symbol.iterator](): Iterator<number> {
    for (let at = 0; at < this.length; at++) yield this.start + at * this.step;
  }
}

/** `range(end)`, `range(start, end)`, `range(start, end, step)`: the numbers before `end`. */
export function range(startOrEnd: number, end?: number, step = 1): Range {
  return end === undefined ? new Range(0, startOrEnd, step) : new Range(startOrEnd, end, step);
}

/** The lines of a blob, an item each; made by `elytra.lines`. `I` is what a line holds. */
export class Lines<I = string> {
  readonly spec: BlobSpec;
  /** Only a type; never there. */
  declare readonly item?: I;

  constructor(spec: BlobSpec) {
    this.spec = spec;
  }
}

/** What a job may be applied to; a range is an iterable of numbers that is never iterated here. */
export type Inputs<I> = Iterable<I> | AsyncIterable<I> | Lines<I>;

/** What becomes of inputs: known whole, or fed while the job runs. */
export type Source =
  | { input: InputSpec; feed?: undefined }
  | { lines: Blob; feed?: undefined }
  | { feed: Iterable<unknown> | AsyncIterable<unknown> };

/** Decides how inputs travel. `undefined` when there is no item at all. */
export function sourceOf(inputs: Inputs<unknown>): Source | undefined {
  if (inputs instanceof Range) {
    const { start, end, step, length } = inputs;
    return length > 0 ? { input: { range: { start, end, step } } } : undefined;
  }
  if (inputs instanceof Lines) return { input: { blob: inputs.spec } };
  if (typeof inputs === "string") throw new ElytraError("inputs", `the inputs are one text, which would be taken letter by letter: pass [text], or elytra.lines(text) for its lines`);
  if (Array.isArray(inputs) || ArrayBuffer.isView(inputs)) return ofList(inputs as unknown as ArrayLike<unknown>);
  const given = inputs as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined;
  if (typeof given?.[Symbol.asyncIterator] === "function") return { feed: inputs as AsyncIterable<unknown> };
  if (typeof given?.[Symbol.iterator] === "function") return { feed: inputs as Iterable<unknown> };
  throw new ElytraError("inputs", `the inputs must be an array, range(n), elytra.lines(…), or something to iterate over, not ${typeof inputs}`);
}

function ofList(list: ArrayLike<unknown>): Source | undefined {
  if (list.length === 0) return undefined;
  const parts: string[] = [];
  let piece = "";
  for (let index = 0; index < list.length; index++) {
    piece += `${lineOf(list[index], index)}\n`;
    if (piece.length > PIECE_CHARS) {
      parts.push(piece);
      piece = "";
    }
  }
  parts.push(piece);
  const isShort = parts.length === 1 && piece.length <= INLINE_CHARS_MAX;
  return isShort ? { input: { items: Array.from(list) } } : { lines: new Blob(parts) };
}

/** An item as one line of JSON; refuses what JSON would change without a word. */
export function lineOf(item: unknown, index: number): string {
  if (typeof item === "number") {
    if (Number.isFinite(item)) return String(Object.is(item, -0) ? 0 : item);
    throw new ElytraError("item", `item ${index} is ${item}, which JSON cannot carry: send a text or null instead`);
  }
  let line: string | undefined;
  try {
    line = JSON.stringify(item);
  } catch (cause) {
    throw new ElytraError("item", `item ${index} cannot be written as JSON (${(cause as Error).message})`, { cause });
  }
  if (line === undefined) throw new ElytraError("item", `item ${index} is ${typeof item}, which JSON cannot carry: send null, or leave it out`);
  return line;
}
