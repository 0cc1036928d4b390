// Runs the shards of a batch one after another and reports what became of them: often enough that the hub knows
// which one runs, seldom enough that a message costs nothing beside the work.

import type { Batch, FromSlot } from "../shared/messages";
import { runCommand } from "./commands";
import { explain, type Failure } from "./failure";
import { Host } from "./host";
import type { Program, Programs } from "./programs";

/** A report goes out before a shard begins when the last one is this old. */
const REPORT_MS = 5;
/** A report goes out when it would carry this many bytes; a frame to the coordinator holds twice that. */
const REPORT_BYTES = 512 * 1024;

type Send = (message: FromSlot, transfer?: Transferable[]) => void;

const host = new Host();

export function runBatch(batch: Batch, programs: Programs, send: Send): void {
  const program = find(batch, programs);
  if (program instanceof Error) refuseAll(batch, program, send);
  else new Run(batch, program, send).all();
}

function find(batch: Batch, programs: Programs): Program | Error {
  try {
    return programs.get(batch.program, batch.memoryPagesMax);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The program cannot run under this job's limits: every shard hears it. */
function refuseAll({ batch, ends }: Batch, error: Error, send: Send): void {
  const failure = { cause: "refused" as const, detail: error.message, busyUs: 0 };
  for (let first = 0; first < ends.length; first += 1) {
    const nothing = { lengths: new Uint32Array(0), data: new ArrayBuffer(0), busyUs: 0 };
    send({ kind: "report", batch, first, ...nothing, failure });
  }
}

class Run {
  readonly #inputs: Uint8Array;
  #first = 0;
  #lengths: number[] = [];
  #reportedAt = performance.now();
  #now = this.#reportedAt;

  constructor(
    readonly batch: Batch,
    readonly program: Program,
    readonly send: Send,
  ) {
    this.#inputs = new Uint8Array(batch.inputs);
    host.beginBatch(new Uint8Array(batch.prefix), batch.outputBytesMax);
  }

  all(): void {
    let start = 0;
    this.batch.ends.forEach((end, index) => {
      this.#reportIfDue();
      this.#shard(index, this.#inputs.subarray(start, end));
      start = end;
    });
    this.#report(null);
  }

  #shard(index: number, input: Uint8Array): void {
    const began = performance.now();
    host.beginShard(input);
    const failure = execute(this.program, this.batch.entry);
    this.#now = performance.now();
    if (failure) {
      host.dropShard();
      const busyUs = microseconds(this.#now - began);
      this.#report({ ...failure, busyUs }, began);
      this.#first = index + 1;
    } else {
      this.#lengths.push(host.endShard());
    }
  }

  #reportIfDue(): void {
    const old = this.#now - this.#reportedAt >= REPORT_MS;
    const large = host.outputBytes >= REPORT_BYTES;
    if (this.#lengths.length > 0 && (old || large || this.batch.careful)) this.#report(null);
  }

  /** `until` is where the time of the finished shards ends. */
  #report(failure: (Failure & { busyUs: number }) | null, until = this.#now): void {
    if (this.#lengths.length === 0 && !failure) return;
    const lengths = Uint32Array.from(this.#lengths);
    const data = host.takeOutputs();
    const busyUs = microseconds(until - this.#reportedAt);
    const { batch } = this.batch;
    this.send({ kind: "report", batch, first: this.#first, lengths, data, busyUs, failure }, [data, lengths.buffer]);
    this.#first += this.#lengths.length;
    this.#lengths = [];
    this.#reportedAt = this.#now;
  }
}

/** Runs one shard; the failure if it has no output. */
function execute(program: Program, entry: string): Failure | null {
  return program.isCommand ? runCommand(program, entry, host) : runKernel(program, entry);
}

/** In a fresh instance. */
function runKernel(program: Program, entry: string): Failure | null {
  let instance: WebAssembly.Instance | null = null;
  try {
    instance = new WebAssembly.Instance(program.module, host.imports);
    const { memory, [entry]: start } = instance.exports;
    if (!(memory instanceof WebAssembly.Memory)) return { cause: "refused", detail: "the program exports no memory" };
    if (typeof start !== "function") return { cause: "refused", detail: `the program has no entry '${entry}'` };
    host.memory = memory;
    start();
    return null;
  } catch (error) {
    return explain(error, host.log(), program, host.memory);
  }
}

function microseconds(ms: number): number {
  return Math.max(0, Math.round(ms * 1000));
}
