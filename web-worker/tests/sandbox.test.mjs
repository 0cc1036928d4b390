// The sandbox frame and its slots in a real Chromium: right answers, true causes, and nothing beyond the ABI.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import binaryen from "binaryen";
import { launch, openSandbox } from "./browser.mjs";
import { serve } from "./server.mjs";

const KERNELS = new URL("../../dist/web/kernels/rust_core.wasm", import.meta.url);
const DIGESTS = JSON.parse(readFileSync(new URL("./digests.json", import.meta.url), "utf8"));
const PAGES = 4096;

let server;
let browser;
before(async () => {
  server = await serve();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** A module from its text, as binary text. */
function wat(text) {
  const module = binaryen.parseText(text);
  const binary = Buffer.from(module.emitBinary()).toString("latin1");
  module.dispose();
  return binary;
}

const IMPORTS = `
  (import "elytra" "input_len" (func $input_len (result i32)))
  (import "elytra" "input_read" (func $input_read (param i32 i32 i32)))
  (import "elytra" "output_write" (func $output_write (param i32 i32)))
  (import "elytra" "log" (func $log (param i32 i32)))`;

/** A program with an entry `run`. */
const program = (body, { memory = "1 4096", data = "", functions = "" } = {}) =>
  wat(`(module ${IMPORTS} (memory (export "memory") ${memory}) ${data} ${functions} (func (export "run") ${body}))`);

/** Opens a sandbox with one program in slot 0. */
async function holding(module, slots = 1) {
  const { page, said, sandboxed } = await openSandbox(browser, server.origin, slots);
  const answers = [];
  for (let slot = 0; slot < slots; slot += 1) {
    answers.push(await page.evaluate(([slot, module]) => sandbox.program(slot, 1, module, 4096), [slot, module]));
  }
  const run = (options, slot = 0) =>
    page.evaluate(([slot, options]) => sandbox.run(slot, options), [slot, { entry: "run", inputs: [""], ...options }]);
  return { page, said, sandboxed, answers, run };
}

function encodeRange(params, first, step, count) {
  const json = Buffer.from(params);
  const out = Buffer.alloc(4 + json.length + 21);
  out.writeUInt32LE(json.length, 0);
  json.copy(out, 4);
  out.writeUInt8(0, 4 + json.length);
  out.writeUInt32LE(count, 5 + json.length);
  out.writeBigInt64LE(BigInt(first), 9 + json.length);
  out.writeBigInt64LE(BigInt(step), 17 + json.length);
  return out.toString("latin1");
}

/** A slot reports as often as its clock says: what all reports of a batch say together. */
const merged = (messages) => ({
  lengths: messages.flatMap((message) => message.lengths ?? []),
  data: messages.map((message) => message.data ?? "").join(""),
});

const failureOf = (messages) => messages.find((message) => message.failure)?.failure;

test("the standard kernels give the same digests as natively", async () => {
  const { page, answers, run } = await holding(readFileSync(KERNELS).toString("latin1"));
  assert.deepEqual(answers, [{ kind: "compiled", program: 1 }]);
  for (const { entry, params, first, step, count, sha256 } of DIGESTS) {
    const messages = await run({ entry, inputs: [encodeRange(params, first, step, count)] });
    assert.equal(failureOf(messages), undefined, entry);
    const digest = createHash("sha256").update(merged(messages).data, "latin1").digest("hex");
    assert.equal(digest, sha256, `${entry} ${params}`);
  }
  await page.close();
});

test("what is common to a batch travels once, and every shard sees its whole input", async () => {
  const echo = program(
    "(call $input_read (i32.const 0) (i32.const 0) (call $input_len)) (call $output_write (i32.const 0) (call $input_len))",
  );
  const { page, run } = await holding(echo);
  const messages = await run({ prefix: "ab", inputs: ["c", "", "longer"] });
  assert.deepEqual(merged(messages), { lengths: [3, 2, 8], data: "abcabablonger" });
  assert.deepEqual(messages.at(-1), { kind: "end", batch: 1 });
  await page.close();
});

test("no state passes from one shard to the next", async () => {
  const counts = program(
    `(i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 65)))
     (call $output_write (i32.const 0) (i32.const 1))`,
  );
  const { page, run } = await holding(counts);
  assert.equal(merged(await run({ inputs: ["", "", ""] })).data, "AAA");
  await page.close();
});

test("a trap names its function, and the shards round it go on", async () => {
  const module = program("(if (call $input_len) (then (call $deep)))", {
    functions: "(func $deep unreachable)",
  });
  const { page, run } = await holding(module);
  const messages = await run({ inputs: ["", "x", ""] });
  const reports = messages.filter((message) => message.kind === "report");
  assert.deepEqual(reports.map((report) => [report.first, report.lengths.length]), [[0, 1], [2, 1]]);
  const failure = failureOf(messages);
  assert.equal(failure.cause, "trapped");
  assert.match(failure.detail, /^unreachable\n {2}.*wasm-function\[4\] at 0x/);
  await page.close();
});

test("an item that fails says which and why", async () => {
  const line = "elytra-item-failed 3: no such thing";
  const module = program(`(call $log (i32.const 0) (i32.const ${line.length})) unreachable`, {
    data: `(data (i32.const 0) "${line}")`,
  });
  const { page, run } = await holding(module);
  const failure = failureOf(await run({}));
  assert.deepEqual([failure.cause, failure.detail], ["item_failed", "item 3: no such thing"]);
  await page.close();
});

test("memory grows to the job's limit and not beyond, whatever the program declares", async () => {
  // Grows page by page until it is refused, then writes how many it got.
  const module = program(
    `(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
     (i32.store (i32.const 0) (memory.size)) (call $output_write (i32.const 0) (i32.const 4))`,
  );
  const { page, run } = await holding(module);
  const pages = async (memoryPagesMax) => Buffer.from((await run({ memoryPagesMax }))[0].data, "latin1").readUInt32LE();
  assert.equal(await pages(32), 32);
  assert.equal(await pages(16), 16);
  const trapping = program(
    "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable",
  );
  const other = await holding(trapping);
  const failure = failureOf(await other.run({ memoryPagesMax: 160 }));
  assert.equal(failure.cause, "out_of_memory");
  assert.match(failure.detail, /memory limit of 10 MiB was reached \(10 MiB in use\)/);
  await page.close();
  await other.page.close();
});

test("an output over its limit ends the shard", async () => {
  const module = program("(loop $more (call $output_write (i32.const 0) (i32.const 1000)) (br $more))");
  const { page, run } = await holding(module);
  const failure = failureOf(await run({ outputBytesMax: 5000 }));
  assert.deepEqual([failure.cause, failure.detail], ["output_too_long", "the output is longer than 5000 bytes"]);
  await page.close();
});

test("a stack that overflows and pointers out of range are traps", async () => {
  const deep = await holding(program("(call $deep)", { functions: "(func $deep (call $deep))" }));
  assert.equal(failureOf(await deep.run({})).cause, "trapped");
  const wild = await holding(program("(call $output_write (i32.const -8) (i32.const 16))"));
  assert.equal(failureOf(await wild.run({})).cause, "trapped");
  await deep.page.close();
  await wild.page.close();
});

test("the trap of the function that counts depth says what it means", async () => {
  const name = "elytra: call depth exceeded";
  // Functions 0 to 3 are the imports.
  const names = [1, name.length + 3, 1, 4, name.length, ...Buffer.from(name)];
  const section = Buffer.from([0, names.length + 5, 4, ...Buffer.from("name"), ...names]).toString("latin1");
  const { page, run } = await holding(program("(call $deep)", { functions: "(func $deep unreachable)" }) + section);
  const failure = failureOf(await run({}));
  assert.equal(failure.cause, "trapped");
  assert.match(failure.detail, /^recursion without end, or deeper than the stack allows\n {2}elytra: call depth/);
  await page.close();
});

test("a program that imports more than the ABI is refused", async () => {
  const module = wat('(module (import "env" "fetch" (func)) (memory (export "memory") 1 2) (func (export "run")))');
  const { page, answers } = await holding(module);
  assert.equal(answers[0].kind, "refused");
  assert.match(answers[0].detail, /imports function env\.fetch/);
  const twin = await holding(program(""));
  assert.equal(twin.answers[0].kind, "compiled", "the same without the import is taken");
  await page.close();
  await twin.page.close();
});

test("an endless shard is ended with its slot while the neighbour goes on", async () => {
  const module = program(
    "(if (call $input_len) (then (loop $for_ever (br $for_ever)))) (call $output_write (i32.const 0) (i32.const 1))",
  );
  const { page, run } = await holding(module, 2);
  const result = await page.evaluate(async () => {
    const entry = "run";
    const hung = sandbox.run(0, { entry, inputs: ["x"] }).then(() => "ended");
    const neighbour = await sandbox.run(1, { entry, inputs: ["", "", ""] });
    const early = await Promise.race([hung, new Promise((resolve) => setTimeout(resolve, 300, "hangs"))]);
    sandbox.kill(0);
    sandbox.spawn(2);
    return { early, neighbour: neighbour.flatMap((message) => message.lengths ?? []).length };
  });
  assert.deepEqual(result, { early: "hangs", neighbour: 3 });
  await page.evaluate((module) => sandbox.program(2, 1, module, 4096), module);
  const fresh = merged(await run({ inputs: ["", ""] }, 2));
  assert.equal(fresh.lengths.length, 2, "the slot that took its place works");
  const again = merged(await run({ inputs: [""] }, 1));
  assert.equal(again.lengths.length, 1);
  await page.close();
});

test("a careful batch reports before every shard", async () => {
  const { page, run } = await holding(program("(call $output_write (i32.const 0) (i32.const 2))"));
  const messages = await run({ inputs: ["", "", ""], careful: true });
  assert.deepEqual(messages.map((m) => [m.kind, m.first]), [["report", 0], ["report", 1], ["report", 2], ["end", undefined]]);
  await page.close();
});

test("the frame reaches no network; without its policy it would", async () => {
  const probe = () => fetch("/probe", { mode: "no-cors" }).then(() => "reached", () => "refused");
  const { page, sandboxed } = await holding(program(""));
  assert.equal(await sandboxed.evaluate(() => origin), "null");
  assert.equal(await sandboxed.evaluate(probe), "refused");
  assert.ok(!server.reached.includes("/probe"));
  const open = await serve({ framePolicy: "" });
  const twin = await openSandbox(browser, open.origin);
  assert.equal(await twin.sandboxed.evaluate(probe), "reached");
  assert.ok(open.reached.includes("/probe"));
  await page.close();
  await twin.page.close();
  await open.close();
});
