// What a caller may say about a job, and the job that is submitted for it.

import { ElytraError } from "./errors.js";
import type { Progress } from "./events.js";
import type { Grain, InputSpec, JobSpec, Trust } from "./generated/api.js";
import type { Order } from "./results.js";

/** What may be said about any job. */
export interface JobOptions {
  /** What people call it; else the function's name. */
  name?: string;
  /** Second argument of the function, or the entry's parameters. */
  params?: unknown;
  /** Items that make a shard; `auto` measures first and aims at a quarter of a second. */
  chunk?: "auto" | number;
  /** How often a shard that failed is tried again before it fails for good; else 4 times. */
  retries?: number;
  /** Whether a shard that fails for good fails the job, or is skipped. `settled()` skips. */
  onFailure?: "fail" | "skip";
  /** Jobs with a higher priority go first (-100 to 100). */
  priority?: number;
  /** Share among jobs of the same priority (1 to 10,000; else 100). */
  weight?: number;
  /** How far strangers' answers are trusted; else `private`: everybody's are. */
  trust?: Trust;
  /** Free labels, to find it again. */
  labels?: Record<string, string>;
  /** Limits of every shard: memory of its instance, and CPU time. */
  limits?: { memoryMiB?: number; shardTimeMs?: number };
  /** What a worker must be. */
  needs?: { native?: boolean; trusted?: boolean; simd?: boolean };
  /** Of an iterable, how many items may be on their way: sent, and their results not taken yet. */
  inFlight?: number;
  /** Cancels the job. */
  signal?: AbortSignal;
  /** Hears at most four times a second how the job stands, and once when it is over. */
  onProgress?: (progress: Progress) => void;
}

/** What may be said about a map. */
export interface MapOptions extends JobOptions {
  /** In which order results come: that of the items, or that in which they are completed. */
  order?: Order;
}

/** What may be said about a reduction. */
export interface ReduceOptions<T> extends JobOptions {
  /** The result where there are no items; without it that is an error. */
  empty?: T;
  /** Outputs that one step joins (16 to 4,096; else 256). The shape decides how floating-point sums round. */
  fanIn?: number;
}

/** Items of an iterable that may be on their way when nobody says. */
export const IN_FLIGHT_DEFAULT = 65_536;

/** A program at the server. */
export interface Target {
  readonly program: string;
  readonly entry: string;
  readonly reduceEntry?: string | undefined;
  readonly params?: unknown;
}

/** A job as it is sent; what is not said is left to the server. */
export function specOf(target: Target, input: InputSpec, options: JobOptions & { fanIn?: number | undefined }): JobSpec {
  const { limits, needs } = options;
  const params = options.params ?? target.params;
  return compact({
    program: target.program,
    entry: target.entry,
    input,
    name: options.name,
    params,
    grain: grainOf(options.chunk),
    attempts_max: options.retries === undefined ? undefined : whole("retries", options.retries, 0, 99) + 1,
    on_failure: options.onFailure,
    priority: options.priority,
    weight: options.weight,
    trust: options.trust,
    labels: options.labels,
    limits: limits && compact({ memory_mib: limits.memoryMiB, shard_time_ms: limits.shardTimeMs }),
    needs,
    reduce: target.reduceEntry === undefined ? undefined : compact({ entry: target.reduceEntry, fan_in: options.fanIn }),
  }) as unknown as JobSpec;
}

function grainOf(chunk: JobOptions["chunk"]): Grain | undefined {
  return chunk === undefined || chunk === "auto" ? undefined : { items: whole("chunk", chunk, 1, 1 << 20) };
}

function whole(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new ElytraError("option", `${name} must be a whole number from ${min} to ${max}, not ${value}`);
}

function compact(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
