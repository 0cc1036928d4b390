// The kernels in AssemblyScript: what is checked in is what the compiler makes of the sources, and on a real server
// they answer as the scripts beside them do.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Elytra, program, range, TaskError, wasm } from "elytra";
import { startServer } from "../../sdk/tests/house.mjs";
import { build } from "./build.mjs";

const BUILT = new URL("built/kernels.wasm", import.meta.url);
/** A quarter of the turn, as Pando's example of the same scene draws it under Node: the red, green and blue of its bytes. */
const QUARTER = JSON.parse(readFileSync(new URL("known.json", import.meta.url), "utf8"));

let dev;
let elytra;
before(async () => {
  dev = await startServer("dev");
  elytra = await Elytra.connect({ server: dev.origin, token: dev.token() });
});
after(() => dev?.stop());

/** A script of the examples as a program of the server. */
async function script(name) {
  const body = readFileSync(new URL(`../scripts/${name}`, import.meta.url));
  const headers = { authorization: `Bearer ${dev.token()}`, "content-type": "application/octet-stream" };
  const answer = await fetch(`${dev.origin}/api/v1/programs?file=${name}`, { method: "POST", headers, body });
  return (await answer.json()).hash;
}

test("what is checked in is what the sources give", async () => {
  const folder = mkdtempSync(join(tmpdir(), "elytra-built-"));
  try {
    const built = join(folder, "kernels.wasm");
    await build(built);
    assert.ok(readFileSync(built).equals(readFileSync(BUILT)), "stale: run `npm run build -w examples/assemblyscript`");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("collatz answers as the script does: ranges, numbers, texts", async () => {
  const collatz = wasm(BUILT, { entry: "collatz" });
  const steps = program(await script("collatz.js"), "collatz");
  assert.deepEqual(await elytra.map(range(1, 2_001), collatz, { chunk: 300 }), await elytra.map(range(1, 2_001), steps));
  assert.deepEqual(await elytra.map([27, 97, 871], collatz), [111, 118, 178]);
  assert.deepEqual(await elytra.map(await elytra.lines("27\n97\n"), collatz), [111, 118]);
});

test("a failure carries the item and the author's file and line", async () => {
  const collatz = wasm(BUILT, { entry: "collatz" });
  // All its 53 bits are ones, and each makes the sequence half as large again.
  const items = [1, 2, 2 ** 53 - 1];
  await assert.rejects(elytra.map(items, collatz, { retries: 0, chunk: 3 }).array(), (error) => {
    assert.ok(error instanceof TaskError);
    assert.deepEqual([error.index, error.cause], [2, "item_failed"]);
    return /leaves 64 bits \(assembly\/collatz\.ts:10:\d+\)/.test(error.message);
  });
});

test("the ray tracer draws what the script draws, and what Pando's example draws", async () => {
  const frame = wasm(BUILT, { entry: "frame" });
  const small = { params: { width: 40, frames: 8 } };
  const drawn = await elytra.map(range(8), frame, small);
  const scripted = await elytra.map(range(8), program(await script("raytracer.ts"), "frame"), small);
  assert.deepEqual(drawn.map((bytes) => [...bytes]), scripted);
  const [quarter] = await elytra.map([QUARTER.item], frame);
  assert.equal(createHash("sha256").update(quarter).digest("hex"), QUARTER.sha256);
});
