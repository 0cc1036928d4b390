// From an exception to a cause: what the program said, what the engine said, and where it happened.

import type { Cause } from "../shared/messages";
import { OutputTooLong } from "./host";
import { PAGE_BYTES } from "./memory";
import type { Program } from "./programs";

/** Why a shard has no output. */
export interface Failure {
  cause: Cause;
  detail: string;
}

/** Begins the last log line of an item that failed; see the kernel ABI. */
const FAILURE_PREFIX = "elytra-item-failed ";
/** Longest detail that travels. */
const DETAIL_CHARS_MAX = 3000;
/** Frames of the backtrace that are kept. */
const FRAMES_MAX = 16;
/** The function that admission adds, which traps when calls are nested too deeply; see the kernel ABI. */
const DEPTH_EXCEEDED = "elytra: call depth exceeded";
const TOO_DEEP = "recursion without end, or deeper than the stack allows";
/**
 * An engine does not say that a growth was refused: the program sees it and traps. A trap with this share of the
 * memory in use, or with the words of Rust's allocator in the log, is taken for it. A growing vector holds a third
 * of the limit when doubling it no longer fits.
 */
const NEARLY_FULL = 1 / 3;
const ALLOCATION_FAILED = "memory allocation of ";

export function explain(
  error: unknown,
  log: { last: string; all: string },
  program: Program,
  memory: WebAssembly.Memory | null,
): Failure {
  if (error instanceof OutputTooLong) return { cause: "output_too_long", detail: error.message };
  if (error instanceof WebAssembly.LinkError) return { cause: "refused", detail: String(error) };
  if (!memory && error instanceof RangeError) return { cause: "out_of_memory", detail: String(error) };
  if (outOfMemory(error, log.all, program, memory)) {
    return { cause: "out_of_memory", detail: clip(`${memoryLine(program, memory)}\n${trace(error, log.all)}`) };
  }
  if (log.last.startsWith(FAILURE_PREFIX)) {
    return { cause: "item_failed", detail: clip(`item ${log.last.slice(FAILURE_PREFIX.length)}`) };
  }
  return { cause: "trapped", detail: clip(trace(error, log.all)) };
}

function outOfMemory(error: unknown, log: string, program: Program, memory: WebAssembly.Memory | null): boolean {
  if (log.includes(ALLOCATION_FAILED)) return true;
  if (log.includes(FAILURE_PREFIX) || !memory) return false;
  const trapped = error instanceof WebAssembly.RuntimeError && /unreachable/.test(error.message) && !isTooDeep(error);
  return trapped && memory.buffer.byteLength >= program.memoryPagesMax * PAGE_BYTES * NEARLY_FULL;
}

function memoryLine(program: Program, memory: WebAssembly.Memory | null): string {
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
  const limit = mib(program.memoryPagesMax * PAGE_BYTES);
  return `the memory limit of ${limit} MiB was reached (${mib(memory?.buffer.byteLength ?? 0)} MiB in use)`;
}

/** Whether the function on top of the stack is the one that says so. */
function isTooDeep(error: unknown): boolean {
  const top = error instanceof Error ? /^ *at .*$/m.exec(error.stack ?? "")?.[0] : undefined;
  return top?.includes(DEPTH_EXCEEDED) ?? false;
}

/** The message and the frames inside the program, without the addresses of this tab. */
function trace(error: unknown, log: string): string {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const frames = stack.split("\n").flatMap((line) => {
    const frame = /at (?:(.+) \()?wasm:\/\/.*?:(wasm-function\[\d+\]):(0x[0-9a-f]+)/.exec(line);
    return frame ? [`  ${frame[1] ?? "?"} ${frame[2]} at ${frame[3]}`] : [];
  });
  const lines = [isTooDeep(error) ? TOO_DEEP : message, ...frames.slice(0, FRAMES_MAX)];
  if (log) lines.push("log:", log);
  return lines.join("\n");
}

export function clip(text: string): string {
  return text.length <= DETAIL_CHARS_MAX ? text : `${text.slice(0, DETAIL_CHARS_MAX)} …`;
}
