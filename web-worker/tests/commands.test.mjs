// Commands in a real Chromium: the same outputs as in the native sandbox (`cases.json` is read by its tests, too) and,
// where a program needs nothing but its streams, as under Node's own WASI.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import binaryen from "binaryen";
import { launch, openSandbox } from "./browser.mjs";
import { serve } from "./server.mjs";
import { exampleUrl, underNode } from "./wasi.mjs";

const CASES = JSON.parse(readFileSync(new URL("../../examples/commands/cases.json", import.meta.url), "utf8"));

let server;
let browser;
let page;
before(async () => {
  server = await serve();
  browser = await launch();
  ({ page } = await openSandbox(browser, server.origin));
});
after(async () => {
  await browser?.close();
  await server?.close();
});

const example = (name) => readFileSync(exampleUrl(name));

/** Gives a module to the slot under a number of its own. */
const numbers = new Map();
async function take(name, bytes = example(name)) {
  if (!numbers.has(name)) {
    numbers.set(name, numbers.size + 10);
    const answer = await page.evaluate(
      ([program, module]) => sandbox.program(0, program, module, 4096),
      [numbers.get(name), bytes.toString("latin1")],
    );
    assert.equal(answer.kind, "compiled", answer.detail);
  }
  return numbers.get(name);
}

/** Runs inputs as one batch: what the reports say together. */
async function run(name, inputs, { bytes, ...options } = {}) {
  const program = await take(name, bytes);
  const messages = await page.evaluate((options) => sandbox.run(0, options), {
    entry: "main",
    program,
    inputs: inputs.map((input) => input.toString("latin1")),
    ...options,
  });
  return {
    data: Buffer.from(messages.map((message) => message.data ?? "").join(""), "latin1"),
    lengths: messages.flatMap((message) => message.lengths ?? []),
    failures: messages.map((message) => message.failure).filter(Boolean),
  };
}

/** The output of one shard. */
async function output(name, input) {
  const { data, failures } = await run(name, [input]);
  assert.deepEqual(failures, []);
  return data;
}

function head(params, kind, count) {
  const json = Buffer.from(params);
  const out = Buffer.alloc(9 + json.length);
  out.writeUInt32LE(json.length, 0);
  json.copy(out, 4);
  out.writeUInt8(kind, 4 + json.length);
  out.writeUInt32LE(count, 5 + json.length);
  return out;
}

function framed(bytes) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const encodeText = (params, items) =>
  Buffer.concat([head(params, 2, items.length), ...items.map((item) => framed(Buffer.from(item)))]);

function encodeRange(params, [first, step, count]) {
  const numbers = Buffer.alloc(16);
  numbers.writeBigInt64LE(BigInt(first), 0);
  numbers.writeBigInt64LE(BigInt(step), 8);
  return Buffer.concat([head(params, 0, count), numbers]);
}

function frames(output) {
  const found = [];
  for (let at = 0; at < output.length; ) {
    const length = output.readUInt32LE(at);
    found.push(output.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

test("commands give the same digests as in the native sandbox", async () => {
  for (const { program, params, items, range, sha256 } of CASES) {
    const bytes = await output(program, items ? encodeText(params, items) : encodeRange(params, range));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), sha256, `${program} ${params}`);
  }
});

test("a hundred thousand lines come out as under another WASI", async () => {
  const items = Array.from({ length: 100_000 }, (_, n) => `${(n * 2654435761) % 1000003} word ${n % 97}`);
  const stdin = `${items.join("\n")}\n`;
  for (const [name, args] of [["sortlines", []], ["words", []], ["words", ["-l"]], ["frequent", []]]) {
    const ours = frames(await output(name, encodeText(JSON.stringify({ args }), items)));
    assert.equal(ours.length, items.length, "an output for each item");
    assert.ok(Buffer.concat(ours).equals(underNode(name, args, stdin)), `${name} ${args}`);
  }
});

test("an exit code, a panic and bad parameters fail with their words, and the next shard runs", async () => {
  const shard = (params, ...items) => encodeText(params, items);
  const good = shard('{"args":["-l"]}', "a b");
  const { failures, lengths } = await run("words", [good, shard('{"args":["-q"]}', "a"), shard("7", "a"), good]);
  assert.deepEqual(lengths, [6, 6]);
  const option = "the command ended with exit code 2: words: unknown option -q; the only one is -l";
  assert.deepEqual([failures[0].cause, failures[0].detail], ["item_failed", option]);
  assert.match(failures[1].detail, /^the parameters of a command are/);

  const wrong = await run("factors", [shard('{"each":true}', "6", "six")]);
  assert.match(wrong.failures[0].detail, /^item 1: the command ended with exit code 1: error: InvalidCharacter/);
  const panic = await run("frequent", [shard('{"env":{"LEAST":"many"}}', "a")]);
  assert.equal(panic.failures[0].cause, "trapped");
  assert.match(panic.failures[0].detail, /^unreachable[^]*LEAST is a number/);
  const entry = await run("words", [good], { entry: "run" });
  assert.deepEqual([entry.failures[0].cause, entry.failures[0].detail], ["refused", "the program has no entry 'run'"]);
});

/** A command of a few instructions. */
function command(body, imports = "") {
  const module = binaryen.parseText(`(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    ${imports}
    (memory (export "memory") 1 16384)
    (data (i32.const 0) "\\10\\00\\00\\00\\00\\80\\00\\00")
    (func (export "_start") ${body}))`);
  const binary = Buffer.from(module.emitBinary());
  module.dispose();
  return binary;
}

test("output without end stops at its limit, and addresses outside the memory are errors", async () => {
  const input = encodeText("", ["x"]);
  const call = (address, count) => `(call $fd_write (i32.const 1) (i32.const ${address}) (i32.const ${count}) (i32.const 8))`;
  const endless = command(`(loop $more (drop ${call(0, 1)}) (br $more))`);
  const { failures } = await run("endless", [input], { bytes: endless, outputBytesMax: 1 << 20 });
  assert.deepEqual([failures[0].cause, failures[0].detail], ["output_too_long", "the output is longer than 1048576 bytes"]);
  for (const [address, count, errno] of [[65532, 1, 21], [-4, 1, 21], [0, -1, 28]]) {
    const bytes = command(`(call $proc_exit ${call(address, count)})`);
    const { failures } = await run(`${address} ${count}`, [input], { bytes });
    assert.equal(failures[0].detail, `the command ended with exit code ${errno} and wrote nothing to standard error`);
  }
});

test("a command that imports what WASI does not have is refused", async () => {
  const bytes = command("", '(import "wasi_snapshot_preview1" "memory_read" (func (param i32)))');
  const answer = await page.evaluate((module) => sandbox.program(0, 2, module, 4096), bytes.toString("latin1"));
  assert.equal(answer.kind, "refused");
  assert.match(answer.detail, /imports function wasi_snapshot_preview1\.memory_read, which does not exist here/);
});
