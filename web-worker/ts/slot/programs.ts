// The compiled programs of one slot. The hub says which to keep and which to forget, so both sides always agree.

import type { FromSlot } from "../shared/messages";
import { capMemory } from "./memory";

/** The only names a program may import; see the kernel ABI. */
const IMPORTS = new Set(["input_len", "input_read", "output_write", "log"]);
const IMPORT_MODULE = "elytra";

/** A compiled program and the memory its instances may have. */
export interface Program {
  module: WebAssembly.Module;
  memoryPagesMax: number;
}

/** A program's bytes, and its modules by the memory they were compiled for. */
interface Held {
  bytes: Uint8Array<ArrayBuffer>;
  variants: Map<number, Program>;
}

export class Programs {
  readonly #held = new Map<number, Held>();

  /** Takes a program in and compiles it; the answer says whether it can be run here. */
  take(program: number, bytes: ArrayBuffer, memoryPagesMax: number): FromSlot {
    try {
      const held = { bytes: new Uint8Array(bytes), variants: new Map<number, Program>() };
      const module = new WebAssembly.Module(capMemory(held.bytes, memoryPagesMax));
      checkImports(module);
      held.variants.set(memoryPagesMax, { module, memoryPagesMax });
      this.#held.set(program, held);
      return { kind: "compiled", program };
    } catch (error) {
      return { kind: "refused", program, detail: String(error) };
    }
  }

  /** The program with this much memory; throws when it cannot be had. */
  get(program: number, memoryPagesMax: number): Program {
    const held = this.#held.get(program);
    if (!held) throw new Error("the slot does not hold this program");
    const known = held.variants.get(memoryPagesMax);
    if (known) return known;
    const made = { module: new WebAssembly.Module(capMemory(held.bytes, memoryPagesMax)), memoryPagesMax };
    held.variants.set(memoryPagesMax, made);
    return made;
  }

  forget(program: number): void {
    this.#held.delete(program);
  }
}

function checkImports(module: WebAssembly.Module): void {
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (from !== IMPORT_MODULE || kind !== "function" || !IMPORTS.has(name)) {
      throw new Error(`the program imports ${kind} ${from}.${name}, which does not exist here`);
    }
  }
}
