// What the hub's wasm asks its script for: the slots behind their ports, and the page.

import type { FromHub, FromSlot, Status, ToFrame, ToSlot } from "../shared/messages";

/** Hears what slots say. */
export interface SlotListener {
  onSlot(slot: number, message: FromSlot): void;
}

/** A slot's port, or what waits for it. */
interface Slot {
  port: MessagePort | null;
  waiting: { message: ToSlot; transfer: Transferable[] }[];
}

/** The methods are called from wasm by these names. */
export class Outside {
  readonly #slots = new Map<number, Slot>();

  constructor(
    readonly frame: MessagePort,
    readonly toPage: (message: FromHub, transfer?: Transferable[]) => void,
    readonly listener: SlotListener,
  ) {}

  /** A slot's port has come from the frame. */
  attach(number: number, port: MessagePort): void {
    const slot = this.#slots.get(number) ?? { port: null, waiting: [] };
    this.#slots.set(number, slot);
    slot.port = port;
    port.onmessage = (event: MessageEvent<FromSlot>) => this.listener.onSlot(number, event.data);
    for (const { message, transfer } of slot.waiting.splice(0)) port.postMessage(message, transfer);
  }

  /** `started`: the frame has begun it by itself. */
  spawn(slot: number, started: boolean): void {
    if (!this.#slots.has(slot)) this.#slots.set(slot, { port: null, waiting: [] });
    if (!started) this.#ask({ kind: "spawn", slot });
  }

  kill(slot: number): void {
    this.#slots.get(slot)?.port?.close();
    this.#slots.delete(slot);
    this.#ask({ kind: "kill", slot });
  }

  program(slot: number, program: number, bytes: Uint8Array<ArrayBuffer>, memoryPagesMax: number): void {
    this.#send(slot, { kind: "program", program, bytes: bytes.buffer, memoryPagesMax }, [bytes.buffer]);
  }

  forget(slot: number, program: number): void {
    this.#send(slot, { kind: "forget", program }, []);
  }

  run(
    slot: number,
    batch: number,
    program: number,
    entry: string,
    prefix: Uint8Array<ArrayBuffer>,
    inputs: Uint8Array<ArrayBuffer>,
    ends: Uint32Array<ArrayBuffer>,
    memoryPagesMax: number,
    outputBytesMax: number,
    careful: boolean,
  ): void {
    const buffers = { prefix: prefix.buffer, inputs: inputs.buffer, ends };
    const message: ToSlot = { kind: "batch", batch, program, entry, ...buffers, memoryPagesMax, outputBytesMax, careful };
    this.#send(slot, message, [prefix.buffer, inputs.buffer, ends.buffer]);
  }

  status(json: string): void {
    this.toPage({ kind: "status", status: JSON.parse(json) as Status });
  }

  tile(job: string, item: number, data: Uint8Array<ArrayBuffer>): void {
    this.toPage({ kind: "tile", tile: { job, item, data: data.buffer } }, [data.buffer]);
  }

  /** The worker has left and does nothing more. */
  ended(): void {
    this.toPage({ kind: "stopped" });
  }

  #ask(message: ToFrame): void {
    this.frame.postMessage(message);
  }

  #send(number: number, message: ToSlot, transfer: Transferable[]): void {
    const slot = this.#slots.get(number);
    if (slot?.port) slot.port.postMessage(message, transfer);
    else slot?.waiting.push({ message, transfer });
  }
}
