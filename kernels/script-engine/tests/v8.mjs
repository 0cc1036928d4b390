// Runs every N.input of a folder through its engine.wasm in this process's own WebAssembly, and writes N.output.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
const engine = new WebAssembly.Module(readFileSync(join(folder, "engine.wasm")));

function run(input) {
  let memory;
  const outputs = [];
  const bytes = (pointer, length) => new Uint8Array(memory.buffer, pointer, length);
  const elytra = {
    input_len: () => input.length,
    input_read: (pointer, offset, length) => bytes(pointer, length).set(input.subarray(offset, offset + length)),
    output_write: (pointer, length) => outputs.push(Buffer.from(bytes(pointer, length))),
    log: (pointer, length) => process.stderr.write(bytes(pointer, length)),
  };
  const { exports } = new WebAssembly.Instance(engine, { elytra });
  memory = exports.memory;
  exports.run();
  return Buffer.concat(outputs);
}

for (const name of readdirSync(folder).filter((name) => name.endsWith(".input"))) {
  writeFileSync(join(folder, name.replace(".input", ".output")), run(readFileSync(join(folder, name))));
}
