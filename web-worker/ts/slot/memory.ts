// Lowers the declared maximum of a module's memory to the job's limit. A growth beyond it then fails inside the
// engine, exactly as in the native sandbox: a program sees the same refusal on every worker.

/** Bytes of a WebAssembly page. */
export const PAGE_BYTES = 65536;

const MEMORY_SECTION = 5;
const HEADER_BYTES = 8;
const HAS_MAXIMUM = 1;

/** The module with its memory capped at `pagesMax` pages. A module without a memory is returned as it is. */
export function capMemory(module: Uint8Array<ArrayBuffer>, pagesMax: number): Uint8Array<ArrayBuffer> {
  const section = findSection(module, MEMORY_SECTION);
  if (!section) return module;
  const reader = new Reader(module, section.body);
  const count = reader.u32();
  if (count !== 1) throw new Error(`a program has one memory, this one declares ${count}`);
  const flags = reader.u32();
  if (flags > HAS_MAXIMUM) throw new Error("the program's memory is shared or 64 bits wide");
  const least = reader.u32();
  const declared = flags & HAS_MAXIMUM ? reader.u32() : pagesMax;
  if (least > pagesMax) {
    throw new Error(`the program starts with ${least} pages of memory; the job allows ${pagesMax}`);
  }
  const body = [1, HAS_MAXIMUM, ...leb(least), ...leb(Math.min(declared, pagesMax))];
  return splice(module, section, [MEMORY_SECTION, ...leb(body.length), ...body]);
}

interface Section {
  start: number;
  body: number;
  end: number;
}

function findSection(module: Uint8Array, wanted: number): Section | null {
  const reader = new Reader(module, HEADER_BYTES);
  while (reader.at < module.length) {
    const start = reader.at;
    const id = reader.byte();
    const length = reader.u32();
    const section = { start, body: reader.at, end: reader.at + length };
    if (id === wanted) return section;
    reader.at = section.end;
  }
  return null;
}

function splice(module: Uint8Array, section: Section, replacement: number[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(section.start + replacement.length + module.length - section.end);
  out.set(module.subarray(0, section.start));
  out.set(replacement, section.start);
  out.set(module.subarray(section.end), section.start + replacement.length);
  return out;
}

/** Reads the unsigned numbers of the binary format (LEB128). */
class Reader {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
  ) {}

  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new Error("the program ends early");
    return byte;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error("a number in the program is longer than 32 bits");
  }
}

function leb(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const more = rest >= 0x80;
    out.push((rest % 0x80) + (more ? 0x80 : 0));
    rest = Math.floor(rest / 0x80);
  } while (rest > 0);
  return out;
}
