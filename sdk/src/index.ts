// What `import … from "elytra"` gives, everywhere.

export { type ConnectOptions, Elytra } from "./elytra.js";
export { CaptureError, ElytraError, JobError, TaskError } from "./errors.js";
export type { Progress } from "./events.js";
export type * as api from "./generated/api.js";
export { type Inputs, Lines, Range, range } from "./input.js";
export { Job, type Settled } from "./job.js";
export type { LocalOptions } from "./local.js";
export type { JobOptions, MapOptions, ReduceOptions } from "./options.js";
export { type CommandOptions, Program, program, type Runnable, task, wasm, type WasmOptions, type WasmSource } from "./program.js";
export type { Order } from "./results.js";
export { Sequence } from "./sequence.js";
