// Runs commands: WASI programs whose functions are a small module of ours (`wasi-guest`), the same code as on a
// server. It stands beside the command's instance and copies between its own memory and the command's; nothing of
// WASI is decided here. Steps and names are those of `wasi-guest/src/lib.rs`.

import base64 from "wasi-guest";
import { clip, explain, type Failure } from "./failure";
import type { Host } from "./host";
import type { Program } from "./programs";

/** The module that a command's imports name. */
export const COMMAND_MODULE = "wasi_snapshot_preview1";
/** A command's one entry, and the export behind it. */
const ENTRY = "main";
const START = "_start";

/** What a step of the module answers. */
const GO = 0;
const DONE = 1;
const REFUSED = 2;
const FAILED = 3;
const OUTPUT_TOO_LARGE = 4;
/** What a function answers when the process has ended. */
const ENDED = -1;
/** Thrown through a command whose process has ended. */
const LEAVE = new Error("the process has ended");

/** The exports that are not functions of WASI. */
interface Steps {
  memory: WebAssembly.Memory;
  input(length: number): number;
  begin(outputBytesMax: number): number;
  next(): number;
  finish(): number;
  stderr(): number;
  item(): number;
  told_address(): number;
  told_length(): number;
}
const STEPS = new Set(["memory", "input", "begin", "next", "finish", "stderr", "item", "told_address", "told_length"]);

type Call = (...args: (number | bigint)[]) => number;

/** The module beside a command. It is made when the first command comes, and anew if it ever fails itself. */
class Beside {
  readonly steps: Steps;
  readonly imports: WebAssembly.Imports;
  /** The memory of the running command. */
  command: WebAssembly.Memory | null = null;

  constructor(module: WebAssembly.Module) {
    const guest = {
      memory_bytes: () => this.command?.buffer.byteLength ?? 0,
      memory_read: (address: number, into: number, length: number) => this.#copy(this.command, address, this.#own, into, length),
      memory_write: (address: number, from: number, length: number) => this.#copy(this.#own, from, this.command, address, length),
    };
    const { exports } = new WebAssembly.Instance(module, { guest });
    this.steps = exports as unknown as Steps;
    const calls = Object.entries(exports).filter(([name]) => !STEPS.has(name));
    const wrapped = calls.map(([name, call]) => [name, leaving(call as Call)]);
    this.imports = { [COMMAND_MODULE]: Object.fromEntries(wrapped) };
  }

  get #own(): WebAssembly.Memory {
    return this.steps.memory;
  }

  /** Addresses come as signed 32 bits; a range outside of its memory copies nothing. */
  #copy(source: WebAssembly.Memory | null, from: number, target: WebAssembly.Memory | null, to: number, length: number): number {
    const [start, place, bytes] = [from >>> 0, to >>> 0, length >>> 0];
    if (!source || !target) return 0;
    if (start + bytes > source.buffer.byteLength || place + bytes > target.buffer.byteLength) return 0;
    new Uint8Array(target.buffer, place, bytes).set(new Uint8Array(source.buffer, start, bytes));
    return 1;
  }

  give(input: Uint8Array): void {
    const address = this.steps.input(input.length) >>> 0;
    new Uint8Array(this.#own.buffer, address, input.length).set(input);
  }

  told(): Uint8Array {
    const { steps } = this;
    return new Uint8Array(this.#own.buffer, steps.told_address() >>> 0, steps.told_length() >>> 0);
  }

  words(): string {
    return new TextDecoder().decode(this.told());
  }
}

/** A function of WASI for a command: it leaves the command when the process has ended. */
function leaving(call: Call): Call {
  return (...args) => {
    const answer = call(...args);
    if (answer === ENDED) throw LEAVE;
    return answer;
  };
}

let module: WebAssembly.Module | null = null;
let beside: Beside | null = null;

function getBeside(): Beside {
  module ??= new WebAssembly.Module(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
  beside ??= new Beside(module);
  return beside;
}

/** The names a command may import. */
export function commandFunctions(): Set<string> {
  return new Set(Object.keys(getBeside().imports[COMMAND_MODULE] ?? {}));
}

/** Runs one shard; the failure if it has no output. */
export function runCommand(program: Program, entry: string, host: Host): Failure | null {
  if (entry !== ENTRY) return { cause: "refused", detail: `the program has no entry '${entry}'` };
  try {
    return runProcesses(getBeside(), program, host);
  } catch (error) {
    // Only the module beside can have thrown this, so it is in a state that nobody knows.
    beside = null;
    return { cause: "refused", detail: clip(`the command's functions failed: ${String(error)}`) };
  }
}

function runProcesses(beside: Beside, program: Program, host: Host): Failure | null {
  const { steps } = beside;
  beside.give(host.input);
  let step = steps.begin(host.outputBytesMax);
  while (step === GO) {
    step = steps.next();
    if (step !== GO) break;
    const failure = runProcess(beside, program);
    if (failure) return failure;
    step = steps.finish();
  }
  return settle(beside, step, host);
}

function settle(beside: Beside, step: number, host: Host): Failure | null {
  switch (step) {
    case DONE:
      host.append(beside.told());
      return null;
    case OUTPUT_TOO_LARGE:
      return { cause: "output_too_long", detail: `the output is longer than ${host.outputBytesMax} bytes` };
    case REFUSED:
    case FAILED:
      return { cause: "item_failed", detail: clip(ofItem(beside, beside.words())) };
    default:
      throw new Error(`an unknown step ${step}`);
  }
}

/** Runs one process in a fresh instance; the failure if it did not end by itself. */
function runProcess(beside: Beside, program: Program): Failure | null {
  beside.command = null;
  try {
    const { exports } = new WebAssembly.Instance(program.module, beside.imports);
    const { memory, [START]: start } = exports;
    if (!(memory instanceof WebAssembly.Memory)) return { cause: "refused", detail: "the program exports no memory" };
    if (typeof start !== "function") return { cause: "refused", detail: `the program has no function '${START}'` };
    beside.command = memory;
    start();
    return null;
  } catch (error) {
    return error === LEAVE ? null : trapped(beside, error, program);
  }
}

function trapped(beside: Beside, error: unknown, program: Program): Failure {
  beside.steps.stderr();
  const failure = explain(error, { last: "", all: beside.words() }, program, beside.command);
  return { ...failure, detail: ofItem(beside, failure.detail) };
}

function ofItem(beside: Beside, detail: string): string {
  const item = beside.steps.item();
  return item < 0 ? detail : `item ${item}: ${detail}`;
}
