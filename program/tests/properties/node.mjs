// Runs every entry of the modules in a folder in V8 and prints what can be seen of it, a line an entry.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const [folder] = process.argv.slice(2);
for (const file of readdirSync(folder).filter((name) => name.endsWith(".wasm")).sort()) {
  const module = new WebAssembly.Module(readFileSync(`${folder}/${file}`));
  const entries = WebAssembly.Module.exports(module).filter(({ kind }) => kind === "function");
  for (const { name } of entries) console.log(file, name, ...run(module, name));
}

function run(module, name) {
  let instance;
  try {
    instance = new WebAssembly.Instance(module);
  } catch (error) {
    return ["trapped", digest(new Uint8Array())];
  }
  const ended = call(instance.exports[name]);
  return [ended, digest(new Uint8Array(instance.exports.memory.buffer))];
}

function call(entry) {
  try {
    entry();
    return "finished";
  } catch (error) {
    // A stack that is used up is no trap: the program must have stopped itself before.
    return error instanceof WebAssembly.RuntimeError ? "trapped" : String(error);
  }
}

function digest(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
