// The compiled programs of one slot. The hub says which to keep and which to forget, so both sides always agree.

import type { FromSlot } from "../shared/messages";
import { COMMAND_MODULE, commandFunctions } from "./commands";
import { capMemory } from "./memory";

/** The only names a kernel may import; see the kernel ABI. */
const IMPORTS = new Set(["input_len", "input_read", "output_write", "log"]);
const IMPORT_MODULE = "elytra";

/** A compiled program and the memory its instances may have. */
export interface Program {
  module: WebAssembly.Module;
  memoryPagesMax: number;
  /** Whether it is a WASI program rather than a kernel. */
  isCommand: boolean;
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
      const compiled = compile(held.bytes, memoryPagesMax);
      checkImports(compiled.module);
      held.variants.set(memoryPagesMax, compiled);
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
    const made = compile(held.bytes, memoryPagesMax);
    held.variants.set(memoryPagesMax, made);
    return made;
  }

  forget(program: number): void {
    this.#held.delete(program);
  }
}

function compile(bytes: Uint8Array<ArrayBuffer>, memoryPagesMax: number): Program {
  const module = new WebAssembly.Module(capMemory(bytes, memoryPagesMax));
  const imports = WebAssembly.Module.imports(module);
  const starts = imports.length === 0 && WebAssembly.Module.exports(module).some(({ name }) => name === "_start");
  return { module, memoryPagesMax, isCommand: starts || imports.some(({ module }) => module === COMMAND_MODULE) };
}

function checkImports(module: WebAssembly.Module): void {
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== "function" || !functionsOf(from).has(name)) {
      throw new Error(`the program imports ${kind} ${from}.${name}, which does not exist here`);
    }
  }
}

function functionsOf(module: string): Set<string> {
  if (module === IMPORT_MODULE) return IMPORTS;
  return module === COMMAND_MODULE ? commandFunctions() : new Set();
}
