// Examples whose promise needs more than one run: a text of megabytes, and sums on one, two and seven workers. The
// others run in `cli/tests`, `sdk/tests` and `kernels/script-engine/tests`.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ELYTRA, ROOT, startServer } from "../sdk/tests/house.mjs";
import { place } from "../sdk/tests/installed.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const CONNECTED_MS_MAX = 20_000;
const TEXT_MIB = 8;

let server;
let env;
let folder;
before(async () => {
  process.env.ELYTRA_SLOTS = "0";
  server = await startServer("dev");
  delete process.env.ELYTRA_SLOTS;
  env = { ...process.env, NO_COLOR: "1", ELYTRA_SERVER: server.origin, ELYTRA_TOKEN: server.token(), PATH: `${dirname(ELYTRA)}:${process.env.PATH}` };
  // Within the checkout, where the SDK is found by its name.
  mkdirSync(join(ROOT, "out"), { recursive: true });
  folder = mkdtempSync(join(ROOT, "out", "examples-"));
});
const workers = [];
after(async () => {
  await Promise.all(workers.map((worker) => (worker.kill("SIGTERM"), worker.exitCode ?? once(worker, "exit"))));
  rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

async function connected() {
  const headers = { authorization: `Bearer ${env.ELYTRA_TOKEN}` };
  const answer = await (await fetch(`${server.origin}/api/v1/workers`, { headers })).json();
  return answer.workers.filter((worker) => worker.connected).length;
}

/** Native workers of one slot each, until there are so many; compiled code is shared, so that only the first compiles. */
async function withWorkers(count) {
  while (workers.length < count) {
    const settings = { ELYTRA_WORKER_NAME: `worker-${workers.length}`, ELYTRA_CACHE_DIR: join(folder, "cache") };
    workers.push(spawn(ELYTRA, ["worker", "--slots", "1"], { cwd: folder, env: { ...env, ...settings }, stdio: "ignore" }));
  }
  const until = Date.now() + CONNECTED_MS_MAX;
  while ((await connected()) < count) {
    assert.ok(Date.now() < until, `${count} workers connect`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const run = (file, args) => execFileSync(file, args, { cwd: folder, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

test("a sum of floating-point numbers has the same bits on one, two and seven workers", async () => {
  const sum = place(folder, join(HERE, "typescript", "sum.ts"));
  const sums = [];
  for (const count of [1, 2, 7]) {
    await withWorkers(count);
    sums.push(run("node", [sum]));
  }
  assert.match(sums[0], /^1\.6448840\d+ 3\.142\n$/);
  assert.deepEqual(sums.slice(1), [sums[0], sums[0]]);
});

test("the words of a text of megabytes are counted as wc counts them", async () => {
  await withWorkers(2);
  const counted = run(join(HERE, "word-count.sh"), ["--made", `${TEXT_MIB}`]);
  const known = execFileSync("sh", ["-c", `"${HERE}/text.sh" ${TEXT_MIB} | wc`], { encoding: "utf8" });
  assert.equal(counted.trim(), known.trim().replace(/\s+/g, " "));
});
