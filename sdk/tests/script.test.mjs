// What travels with a function, and what is refused: the part that needs no server.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const folder = mkdtempSync(join(tmpdir(), "elytra-script-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The insides, which the package does not export. */
async function inside(file) {
  const outfile = join(folder, `${file.replaceAll("/", "-")}.mjs`);
  const entry = new URL(`../src/${file}.ts`, import.meta.url).pathname;
  await build({ entryPoints: [entry], outfile, bundle: true, format: "esm", platform: "node", external: ["esbuild"], logLevel: "silent" });
  return await import(pathToFileURL(outfile).href);
}

const { inline } = await inside("script/inline");
const { prune } = await inside("script/prune");
const { mapStack } = await inside("script/sourcemap");
const { lineOf, range, sourceOf } = await inside("input");

/** Functions that close over nothing, whatever they bind. */
const WHOLE = [
  (x) => x * x,
  function named(x) { return x < 2 ? x : named(x - 1) + named(x - 2); },
  async ({ a, b: [c, ...d], e = a }, { f } = {}) => [a, c, d, e, f],
  (x) => { for (const i of [x]) { var late = i; } return late; },
  (x) => { try { throw x; } catch ({ message }) { return message; } },
  (x) => { label: for (let i = 0; i < x; i++) { if (i) continue label; break label; } return { x, label: 1 }.label; },
  function () { return arguments.length + new.target; },
  () => { class A { #p = 1; static { this.q = 2; } get p() { return this.#p; } m(A) { return A; } } return new A().p; },
  (x) => { function later() { return early; } const early = x; return later(); },
  (x) => { switch (x) { case 1: let y = x; return y; default: return typeof x; } },
  (x) => ((...rest) => rest.map((one) => Math.sqrt(one) + JSON.stringify({ one })))(x),
  { method(x) { return x + 1; } }.method,
];

test("a function that closes over nothing travels, and does the same where it arrives", async () => {
  for (const [at, fn] of WHOLE.entries()) {
    const { prelude, expression } = inline(fn);
    const url = `data:text/javascript,${encodeURIComponent(`${prelude}export default ${expression};`)}`;
    assert.equal(typeof (await import(url)).default, "function", `function ${at}`);
  }
});

test("what a function closes over is named", () => {
  const [outer, other] = [1, 2];
  const table = [
    [(x) => x + outer, ["outer"]],
    [(x) => { const y = () => outer + other; return y() + x; }, ["outer", "other"]],
    [({ [outer]: x }) => x, ["outer"]],
    [(x = other) => x, ["other"]],
    [(x) => ({ outer })[x], ["outer"]],
    [(x) => { { let outer = x; } return outer; }, ["outer"]],
    [(x) => this ?? x, ["this"]],
    [(x) => fetch(x), ["fetch"]],
    [(x) => { setTimeout(() => process.exit(x)); }, ["setTimeout", "process"]],
  ];
  for (const [fn, names] of table) {
    assert.throws(() => inline(fn), (error) => {
      assert.deepEqual(error.names, names, fn.toString());
      for (const name of names) assert.match(error.message, new RegExp(`'${name}'`));
      return error.name === "CaptureError";
    });
  }
});

test("what is no plain function is refused with what to do instead", () => {
  for (const [fn, words] of [[Math.sqrt, /wrap it/], [((x) => x).bind(null), /wrap it/], [class A {}, /is a class/], [function* () {}, /generator/]]) {
    assert.throws(() => inline(fn), words);
  }
});

test("a helper that runners of TypeScript put in does not count", () => {
  const fn = new Function("return (x) => { const twice = __name((y) => y * 2, 'twice'); return twice(x); }")();
  assert.match(inline(fn).prelude, /__name/);
});

const MODULE = `import { Elytra, task } from "elytra";
import { help } from "./help.js";
import { unused } from "./unused.js";
const table = [];
for (let i = 0; i < 4; i++) table[i] = i * i;
function helper(x) { return help(table[x]); }
export const look = task(import.meta, function look(x) { return helper(x); });
export const twice = task(import.meta, (x) => x * 2);
const hidden = task(import.meta, function hidden(x) { return x; });
const elytra = await Elytra.connect();
console.log(look(1));
console.log(await elytra.map([1], look));
unused(elytra);
`;

test("of a module only what its task needs is kept, where it stood", () => {
  const text = prune(MODULE, { url: "file:///m.js", name: "look", ordinal: 0 });
  for (const kept of ["task", "help", "table[i] = i * i", "function helper", "look(x)"]) assert.ok(text.includes(kept), kept);
  for (const cut of ["unused", "twice", "hidden", "connect", "console"]) assert.ok(!text.includes(cut), cut);
  assert.equal(text.split("\n").findIndex((line) => line.includes("look(x)")), 6, "lines keep their numbers");
  assert.ok(text.endsWith("export { look as $task };\n"));
});

test("an anonymous task is found by its turn, and one that is no export is refused", () => {
  assert.match(prune(MODULE, { url: "m", name: "", ordinal: 1 }), /export \{ twice as \$task \}/);
  assert.throws(() => prune(MODULE, { url: "m", name: "hidden", ordinal: 2 }), /'hidden' is not an export of m: write `export const hidden/);
});

test("a stack is rewritten to the author's lines", async () => {
  const source = "\n\nexport function fail(x) {\n  throw new Error(String(x));\n}\n";
  const entry = join(folder, "fail.ts");
  writeFileSync(entry, source);
  const { outputFiles } = await build({ entryPoints: [entry], outfile: join(folder, "x.js"), bundle: true, format: "esm", write: false, sourcemap: "external", absWorkingDir: folder });
  const map = JSON.parse(outputFiles.find(({ path }) => path.endsWith(".map")).text);
  const code = outputFiles.find(({ path }) => path.endsWith(".js")).text.split("\n");
  const line = code.findIndex((text) => text.includes("throw"));
  const stack = `    at fail (x.task.js:${line + 1}:${code[line].indexOf("new") + 1})\n    at <anonymous> (other.js:1:1)`;
  assert.equal(mapStack(stack, "x.task.js", map), "    at fail (fail.ts:4:9)\n    at <anonymous> (other.js:1:1)");
});

test("a range is never written out, and what JSON would change is refused", () => {
  const million = range(10, 1e12, 3);
  assert.deepEqual(sourceOf(million), { input: { range: { start: 10, end: 1e12, step: 3 } } });
  assert.deepEqual([range(3).length, range(10, 0, -3).length, range(0).length, [...range(5, 0, -2)].join()], [3, 4, 0, "5,3,1"]);
  assert.throws(() => range(0, 1, 0), /step of 0/);
  assert.throws(() => range(0.5), /whole number/);
  for (const [item, words] of [[Number.NaN, /NaN/], [undefined, /undefined/], [() => 1, /function/], [10n, /BigInt/]]) {
    assert.throws(() => lineOf(item, 7), (error) => words.test(error.message) && /item 7/.test(error.message));
  }
  assert.throws(() => sourceOf("abc"), /letter by letter/);
  assert.throws(() => sourceOf(5), /must be an array/);
});
