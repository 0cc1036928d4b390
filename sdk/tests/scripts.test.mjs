// Functions of JavaScript and TypeScript, from here to the script engine on a worker and back.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import binaryen from "binaryen";
import { Elytra, range, TaskError, task, wasm } from "elytra";
import { ROOT, startServer } from "./house.mjs";
import { install, place } from "./installed.mjs";

/** The module as TypeScript; its functions are made again here, as a runner of TypeScript would have them. */
const TASKS = new URL("tasks.ts", import.meta.url).href;
// In the order of the module: anonymous ones are found by their turn.
const look = task(TASKS, (() => (at) => at)());
const norm = task(TASKS, function norm() {});
const total = task(TASKS, function total() {});
const add = task(TASKS, (() => (a, b) => a + b)());
const fails = task(TASKS, function fails() {});
const bounded = task(TASKS, function bounded() {});

let dev;
let user;
let elytra;
before(async () => {
  dev = await startServer("dev");
  user = install();
  elytra = await Elytra.connect({ server: dev.origin, token: dev.token() });
});
after(async () => {
  user?.remove();
  await dev?.stop();
});

test("plain functions, sync and async, with params", async () => {
  assert.deepEqual(await elytra.map([1, 2, 3], (x) => x * x), [1, 4, 9]);
  assert.deepEqual(await elytra.map(["a", "b"], async (text) => ({ text: text.repeat(2) })), [{ text: "aa" }, { text: "bb" }]);
  assert.deepEqual(await elytra.map([1, 2], (x, { by }) => x * by, { params: { by: 5 } }), [5, 10]);
  assert.deepEqual(await elytra.starmap([[1, 2], [3, 4]], (a, b) => a - b), [-1, -1]);
  assert.deepEqual(await elytra.parallelFor({ start: 2, end: 8, step: 2 }, (x) => x), [2, 4, 6]);
});

test("tasks with their imports and tables; what the module does besides stays here", async () => {
  assert.deepEqual(await elytra.map([2, 9, 10], look), [4, 81, -1]);
  assert.deepEqual(await elytra.map([{ x: 3, y: 4 }], norm), [5]);
  assert.deepEqual(await elytra.map(range(5), total), [0, 0, 1, 3, 6]);
  const pushed = await elytra.push(look);
  assert.deepEqual(await elytra.map([3], pushed), [9]);
});

test("a hundred thousand items a second through a trivial function", async () => {
  const started = performance.now();
  let count = 0;
  for await (const batch of elytra.map(range(3e5), (x) => x * x).batches()) count += batch.length;
  assert.equal(count, 3e5);
  console.log(`    ${Math.round(count / (performance.now() - started))} thousand items/s`);
});

test("a throw is an error with its item and the author's lines", async () => {
  await assert.rejects(elytra.map([1, 2, 3], fails, { retries: 0 }).array(), (error) => {
    assert.ok(error instanceof TaskError);
    assert.deepEqual([error.index, error.cause, error.remoteMessage], [1, "item_failed", "RangeError: item 2 is too far"]);
    assert.match(error.remoteStack, /tasks\.ts:30:\d+/);
    assert.match(error.remoteLine, /30 \|\s+throw new RangeError/);
    return true;
  });
});

test("a throw in what a task imports names that file, and the way there", async () => {
  await assert.rejects(elytra.map([3], bounded, { retries: 0 }).array(), (error) => {
    assert.match(error.remoteStack, /within \(\S*tasks-helper\.ts:11:\d+\)\n\s+at bounded2? \(\S*tasks\.ts:38:\d+\)/);
    assert.match(error.remoteLine, /11 \|\s+if \(x > most\) throw/);
    return true;
  });
});

test("settled(): a throw costs its neighbours nothing", async () => {
  const fates = await elytra.map([1, 2, 3], fails, { chunk: 3 }).settled();
  assert.deepEqual(fates.map(({ status, index, value }) => [status, index, value]), [["fulfilled", 0, 1], ["rejected", 1, undefined], ["fulfilled", 2, 3]]);
  assert.match(fates[1].reason.remoteStack, /tasks\.ts:30:\d+/);
  assert.ok(!fates[1].reason.remoteStack.includes("$call"));
});

test("reduce and mapReduce join on the workers, with the same bits whatever the chunk", async () => {
  assert.equal(await elytra.reduce(range(1, 1_001), (a, b) => a + b), 500_500);
  assert.equal(await elytra.mapReduce(["a", "bcd", "ef"], (text) => text.length, add), 6);
  const sums = [];
  for (const chunk of [7, 64, "auto"]) sums.push(await elytra.mapReduce(range(1, 3_001), (k) => 1 / (k * k), (a, b) => a + b, { chunk }));
  assert.ok(Math.abs(sums[0] - Math.PI ** 2 / 6) < 1e-3);
  assert.deepEqual([sums[1], sums[2]], [sums[0], sums[0]]);
  assert.equal(await elytra.reduce([], (a, b) => a + b, { empty: 0 }), 0);
  await assert.rejects(elytra.reduce([], (a, b) => a + b), /\{ empty \}/);
  await assert.rejects(elytra.mapReduce(range(100), fails, add, { retries: 0 }), (error) => error instanceof TaskError && error.index === 2);
  await assert.rejects(elytra.reduce(range(100), (a, b) => { if (b === 77) throw new Error("no sums here"); return a + b; }, { retries: 0 }), /no sums here/);
});

/** Standard input to standard output, and the number of arguments behind it. */
const ECHO = `(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2 2)
  (func (export "_start")
    (loop $again
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (i32.store (i32.const 4) (i32.load (i32.const 8)))
      (if (i32.load (i32.const 8)) (then
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
        (br $again))))))`;

test("a WASI command from bytes or a file: standard input to standard output", async () => {
  const bytes = binaryen.parseText(ECHO).emitBinary();
  const text = (output) => new TextDecoder().decode(output);
  const lines = await elytra.lines("one\ntwo\n\nfour\n");
  assert.deepEqual((await elytra.map(lines, wasm(bytes, { args: ["-x"] }))).map(text), ["one\n", "two\n", "\n", "four\n"]);
  const file = join(user.folder, "echo.wasm");
  writeFileSync(file, bytes);
  assert.deepEqual((await elytra.map(["a", "b"], wasm(pathToFileURL(file), { each: true }))).map(text), ["a\n", "b\n"]);
});

test("lines are uploaded as a stream and are items of as many jobs as wanted", async () => {
  const pieces = new ReadableStream({
    start(to) {
      for (let at = 0; at < 1_000; at++) to.enqueue(new TextEncoder().encode(`line ${at}\nand`));
      to.close();
    },
  });
  const lines = await elytra.lines(pieces);
  assert.equal(await elytra.mapReduce(lines, (line) => line.length, add), 1_000 * "andline ".length + 2_890);
  assert.deepEqual((await elytra.map(lines, (line) => line)).slice(0, 2), ["line 0", "andline 1"]);
});

test("a module that cannot be bundled says where and why", async () => {
  const file = join(user.folder, "broken.ts");
  writeFileSync(file, `import { task } from "elytra";\nimport { x } from "./nowhere";\nexport const f = task(import.meta, function f() { return x; });\n`);
  const f = task(pathToFileURL(file).href, function f() {});
  await assert.rejects(elytra.map([1], f).array(), /Could not resolve "\.\/nowhere"/);
  writeFileSync(file, `import { readFileSync } from "node:fs";\nexport const f = task(import.meta, function f() { return readFileSync("x"); });\n`);
  await assert.rejects(elytra.map([1], f).array(), /nothing of Node/);
});

const EXAMPLES = [
  ["first", [], "0\n1\n4\n9\n16\n25\n36\n49\n64\n81\n"],
  ["pi", [], /^3\.14\d\n$/],
  ["queens", ["8"], "92\n"],
  ["sum", [], /^1\.6448840\d+ 3\.142\n$/],
  ["word-count", ["text.txt", "2"], "4000 the\n2000 cat\n"],
];

test("every example does what it says", () => {
  writeFileSync(join(user.folder, "text.txt"), "The cat, the hat;\nthe CAT… The end\n".repeat(1_000));
  const env = { ...process.env, ELYTRA_SERVER: dev.origin, ELYTRA_TOKEN: dev.token() };
  for (const [name, args, wanted] of EXAMPLES) {
    const file = place(user.folder, join(ROOT, "examples", "typescript", `${name}.ts`));
    const said = execFileSync("node", [file, ...args], { cwd: user.folder, env, encoding: "utf8" });
    if (typeof wanted === "string") assert.equal(said, wanted, name);
    else assert.match(said, wanted, name);
  }
});

