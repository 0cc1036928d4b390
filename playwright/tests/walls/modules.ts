// Programs that misbehave, written by hand.

import binaryen from "binaryen";

const IMPORTS = `
  (import "elytra" "input_len" (func $input_len (result i32)))
  (import "elytra" "output_write" (func $output_write (param i32 i32)))`;

/** The bytes of a module from its text. */
function wat(text: string): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.BulkMemory | binaryen.Features.ReferenceTypes);
  const bytes = Uint8Array.from(module.emitBinary());
  module.dispose();
  return bytes;
}

const kernel = (body: string, { memory = "1 1", functions = "" } = {}) =>
  wat(`(module ${IMPORTS} (memory (export "memory") ${memory}) ${functions} (func (export "run") (local $got i32) ${body}))`);

/** Copies so many bytes for ever, without a call between. */
function copies(bytes: number): Uint8Array<ArrayBuffer> {
  return kernel(`(loop $for_ever (memory.copy (i32.const 8) (i32.const 0) (i32.const ${bytes})) (br $for_ever))`, { memory: "1024 1024" });
}

/** What never ends by itself, by how it goes on. */
export const ENDLESS: Record<string, Uint8Array<ArrayBuffer>> = {
  "a loop": kernel("(loop $for_ever (br $for_ever))"),
  "a loop before the entry": kernel("", { functions: "(start $first) (func $first (loop $for_ever (br $for_ever)))" }),
  "copies of 1 MiB": copies(0x100000),
  // As these two are here, Chromium's `terminate()` never ends them; admission divides them.
  "copies of 64 MiB": copies(0x3fffff0),
  "fills of the table": kernel("(loop $for_ever (table.fill $all (i32.const 0) (ref.null func) (i32.const 20000)) (br $for_ever))", {
    functions: "(table $all 20000 20000 funcref)",
  }),
};

/** Calls itself without end. */
export const DEEP = kernel("(call $deep)", { functions: "(func $deep (call $deep))" });

/** Takes a MiB more and writes into it until it gets none; its output is how many pages it has then. */
export const GREEDY = kernel(
  `(loop $more
     (local.set $got (memory.grow (i32.const 16)))
     (if (i32.ne (local.get $got) (i32.const -1)) (then
       (memory.fill (i32.shl (local.get $got) (i32.const 16)) (i32.const 165) (i32.const 0x100000))
       (br $more))))
   (i32.store (i32.const 0) (i32.const 4)) (i32.store (i32.const 4) (memory.size))
   (call $output_write (i32.const 0) (i32.const 8))`,
  { memory: "16 16384" },
);

/** Wants 512 MiB before it begins. */
export const LARGE = kernel("(call $output_write (i32.const 0) (i32.const 4))", { memory: "8192 8192" });

/** Says of its memory's section that it goes on for 4 GiB. */
export const LYING = (() => {
  const section = [5, 3, 1, 0, 1];
  const at = Buffer.from(LARGE).indexOf(Buffer.from([5, 6, 1, 1, 0x80, 0x40]));
  return Uint8Array.from([...LARGE.subarray(0, at), 5, 0xff, 0xff, 0xff, 0xff, 0x0f, ...section.slice(2), ...LARGE.subarray(at + 8)]);
})();
