// Runs kernels in V8 for `cargo xtask bench`, so that its rounds and the native sandbox's alternate.
//
// node v8.mjs node|chromium. Lines of JSON on standard input: first { module }, then { entry, input }
// (bytes in base64); each run is answered by a line { ms } with what the call of the entry took.

import { createInterface } from "node:readline";

const [where] = process.argv.slice(2);
const engine = where === "chromium" ? await inChromium() : inNode();
for await (const line of createInterface({ input: process.stdin })) {
  const { module, entry, input } = JSON.parse(line);
  const ms = module ? await engine.prepare(module) : await engine.run(entry, input);
  process.stdout.write(`${JSON.stringify({ ms })}\n`);
}
await engine.close();

function inNode() {
  install();
  return { prepare: globalThis.prepare, run: globalThis.run, close: () => {} };
}

async function inChromium() {
  const { launch } = await import("../../web-worker/tests/browser.mjs");
  const browser = await launch();
  const page = await browser.newPage();
  await page.evaluate(`(${install})()`);
  return {
    prepare: (module) => page.evaluate((module) => globalThis.prepare(module), module),
    run: (entry, input) => page.evaluate(([entry, input]) => globalThis.run(entry, input), [entry, input]),
    close: () => browser.close(),
  };
}

/** Runs in Node or in the page: a fresh instance for every run, as in a tab's slot. */
function install() {
  const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  let compiled;
  globalThis.prepare = async (module) => {
    const start = performance.now();
    compiled = await WebAssembly.compile(bytes(module));
    return performance.now() - start;
  };
  globalThis.run = (entry, base64) => {
    const input = bytes(base64);
    let memory;
    const elytra = {
      input_len: () => input.length,
      input_read: (at, from, length) => new Uint8Array(memory.buffer, at, length).set(input.subarray(from, from + length)),
      output_write: () => {},
      log: () => {},
    };
    const instance = new WebAssembly.Instance(compiled, { elytra });
    memory = instance.exports.memory;
    const start = performance.now();
    instance.exports[entry]();
    return performance.now() - start;
  };
}
