// The part of wasm-bindgen's output that the hub uses. The build writes web_worker.js beside hub.js.

import type { Outside } from "./hub/outside";

export default function init(options: { module_or_path: WebAssembly.Module }): Promise<unknown>;

export class Hub {
  constructor(options: string, outside: Outside);
  pause(reason: string): void;
  resume(reason: string): void;
  finish(): void;
  stop(): void;
  set_slots(slots: number): void;
  set_intensity(percent: number): void;
  compiled(program: number): void;
  refused(program: number, detail: string): void;
  report(
    slot: number,
    batch: number,
    first: number,
    lengths: Uint32Array,
    data: Uint8Array,
    busy_us: number,
    failure: string | undefined,
  ): void;
  batch_ended(slot: number, batch: number): void;
  slot_died(slot: number, detail: string): void;
}
