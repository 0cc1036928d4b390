// The SDK as it is published, against a real coordinator with a native worker: kernels of the standard program.

import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CaptureError, Elytra, ElytraError, JobError, program, range, TaskError, wasm } from "elytra";
import { documentText, kept, typesText } from "../scripts/generate.mjs";
import { ELYTRA, startServer } from "./house.mjs";

const NULL = program("rust-core", "null");
const MERSENNE = program("rust-core", "mersenne");
const prime = ({ prime }) => prime;

let elytra;
before(async () => {
  elytra = await Elytra.local({ binary: ELYTRA, slots: 2 });
});
after(() => elytra?.close());

/** Waits for a condition, bounded. */
async function until(what, condition) {
  const end = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("results are awaited as a list, in order, or iterated over", async () => {
  const exponents = [3, 4, 5, 7, 11, 13];
  assert.deepEqual((await elytra.map(exponents, MERSENNE)).map(prime), [true, false, true, true, false, true]);
  const seen = [];
  for await (const { exponent } of elytra.map(range(3, 400, 2), MERSENNE, { chunk: 3 })) seen.push(exponent);
  assert.deepEqual(seen, [...range(3, 400, 2)]);
  assert.deepEqual(await elytra.map([], MERSENNE), []);
});

test("as completed, every result comes once", async () => {
  const job = elytra.map(range(3, 1_003, 2), MERSENNE, { order: "completed", chunk: 7 });
  const exponents = (await job).map(({ exponent }) => exponent);
  assert.deepEqual(exponents.sort((a, b) => a - b), [...range(3, 1_003, 2)]);
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
/** What reading many results may hold besides a few batches. */
const HELD_BYTES_MAX = 16 << 20;
const MANY = 400_000;

/** The most that was held while many results passed through `take`. */
async function heldWhile(take) {
  collect();
  const before = process.memoryUsage().heapUsed;
  let count = 0;
  let most = 0;
  for await (const batch of elytra.map(range(MANY), NULL).batches()) {
    take(batch);
    const step = Math.floor(count / 100_000);
    count += batch.length;
    if (Math.floor(count / 100_000) === step) continue;
    collect();
    most = Math.max(most, process.memoryUsage().heapUsed - before);
  }
  assert.equal(count, MANY);
  return most;
}

test("many results pass through without being kept", async () => {
  const held = await heldWhile(() => {});
  assert.ok(held < HELD_BYTES_MAX, `${held >> 20} MiB were held`);
  const kept = [];
  const broken = await heldWhile((batch) => kept.push(batch));
  assert.ok(broken > HELD_BYTES_MAX, `keeping them would not be seen: ${broken >> 20} MiB`);
});

test("a lazy iterable is fed while the job runs, in order", async () => {
  let given = 0;
  function* endless() {
    for (;;) yield 3 + 2 * (given++ % 500);
  }
  const seen = [];
  const job = elytra.map(endless(), MERSENNE, { inFlight: 200, chunk: 5 });
  for await (const { exponent } of job) {
    seen.push(exponent);
    assert.ok(given - seen.length <= 201 + 200, `${given} were taken for ${seen.length} results`);
    if (seen.length === 1_000) break;
  }
  assert.deepEqual(seen, Array.from({ length: 1_000 }, (_, at) => 3 + 2 * (at % 500)));
  await until("the job is canceled", async () => (await job.status()).state === "canceled");
});

test("a fast iterable of many items neither stalls nor loses one", async () => {
  function* many() {
    for (let at = 0; at < 200_000; at++) yield at;
  }
  let count = 0;
  for await (const batch of elytra.map(many(), NULL, { chunk: 16 }).batches()) count += batch.length;
  assert.equal(count, 200_000);
});

test("an async iterable is fed as it yields, and its error ends the job", async () => {
  async function* slow() {
    for (const exponent of [3, 5, 7]) {
      yield exponent;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  assert.deepEqual((await elytra.map(slow(), MERSENNE)).map(prime), [true, true, true]);
  async function* broken() {
    yield 3;
    throw new RangeError("the source is dry");
  }
  await assert.rejects(elytra.map(broken(), MERSENNE).array(), /the source is dry/);
});

test("forEach waits without fetching outputs, progress is told, and jobs are found again by id", async () => {
  const told = [];
  const done = await elytra.forEach(range(3, 603, 2), MERSENNE, { onProgress: (now) => told.push(now), name: "quiet", labels: { of: "tests" } });
  assert.deepEqual([done.state, done.counts.items_accepted, done.spec.name, done.spec.labels.of], ["succeeded", 300, "quiet", "tests"]);
  await until("the last progress", () => told.at(-1)?.state === "succeeded");
  assert.equal(told.at(-1).done, 300);
  const again = elytra.job(done.id);
  assert.equal((await again).length, 300);
  for await (const _ of again) break;
  assert.equal((await again.status()).state, "succeeded");
});

test("an AbortSignal cancels the job, and the reason is thrown", async () => {
  const stop = new AbortController();
  const job = elytra.map(range(60_001, 100_000, 2), MERSENNE, { signal: stop.signal });
  const failed = assert.rejects(job.array(), /enough of that/);
  await job.id();
  stop.abort(new Error("enough of that"));
  await failed;
  await until("the job is canceled", async () => (await job.status()).state === "canceled");
  await assert.rejects(elytra.map([3], MERSENNE, { signal: AbortSignal.abort() }).array(), { name: "AbortError" });
});

test("cancel() ends a job with an error that says so", async () => {
  const job = elytra.map(range(60_001, 100_000, 2), MERSENNE);
  const failed = assert.rejects(job.array(), JobError);
  await job.id();
  await job.cancel();
  await failed;
});

test("a failed item is an error with its number and cause; settled() tells every item's fate", async () => {
  // The last number takes longer than its limit allows.
  const options = { chunk: 1, retries: 0, limits: { shardTimeMs: 20 } };
  const items = [3, 5, 99_991, 7];
  await assert.rejects(elytra.map(items, MERSENNE, options).array(), (error) => {
    assert.ok(error instanceof TaskError && error instanceof ElytraError);
    assert.deepEqual([error.name, error.index, error.cause, error.code], ["TaskError", 2, "out_of_time", "task_out_of_time"]);
    return /item 2 ran out of time.*limits\.shardTimeMs/.test(error.message);
  });
  const fates = await elytra.map(items, MERSENNE, options).settled();
  assert.deepEqual(fates.map(({ status, index }) => [index, status]), [[0, "fulfilled"], [1, "fulfilled"], [2, "rejected"], [3, "fulfilled"]]);
  assert.equal(fates[2].reason.index, 2);
});

test("what cannot work is refused before anything runs, with what to do", async () => {
  const outer = 1;
  await assert.rejects(elytra.map([1], (x) => x + outer).array(), CaptureError);
  await assert.rejects(elytra.map([4, 0], MERSENNE).array(), /item 1: must be a whole number/);
  await assert.rejects(elytra.map([3], program("rust-core", "mersene")).array(), /did you mean 'mersenne'|mersenne/);
  await assert.rejects(elytra.map([3], MERSENNE, { chunk: 0 }).array(), /chunk must be a whole number from 1/);
  await assert.rejects(elytra.map([3], wasm(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]), { entry: "f" })).array(), (error) => error.code === "program_refused");
  await assert.rejects(elytra.reduce([1], 5), /must be a function of two/);
  await assert.rejects(Elytra.connect({ server: "http://127.0.0.1:2" }), /elytra dev/);
  await assert.rejects(Elytra.connect({ server: elytra.server, token: "ely_wrong" }), (error) => error.status === 401);
});

/** Stands between the SDK and the server, and breaks what it is told to break. */
async function proxy(target, breaks) {
  const server = createServer((asked, answer) => {
    const { hostname, port } = new URL(target);
    const through = request({ hostname, port, path: asked.url, method: asked.method, headers: asked.headers }, (came) => breaks(asked, came, answer));
    through.on("error", () => answer.destroy());
    asked.pipe(through);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => (server.closeAllConnections(), server.close()) };
}

function passOn(came, answer) {
  answer.writeHead(came.statusCode, came.headers);
  came.pipe(answer);
}

test("a stream that breaks again and again goes on by its cursor; lost answers submit nothing twice", async () => {
  const dev = await startServer("dev");
  let broken = 0;
  let lost = 0;
  const between = await proxy(dev.origin, (asked, came, answer) => {
    // The answer to the first submission, and to the first items, is lost on its way.
    if (asked.method === "POST" && /\/(jobs|items)$/.test(asked.url) && lost < 2 + (asked.url.endsWith("items") ? 1 : 0) && came.statusCode < 300) {
      lost++;
      came.resume();
      return answer.destroy();
    }
    if (!asked.url.includes("/results") || broken > 5) return passOn(came, answer);
    answer.writeHead(came.statusCode, came.headers);
    let bytes = 0;
    came.on("data", (part) => {
      bytes += part.length;
      answer.write(part.subarray(0, 5_000));
      if (bytes > 10_000) {
        broken++;
        came.destroy();
        answer.destroy();
      } else if (part.length > 5_000) {
        answer.write(part.subarray(5_000));
      }
    });
    came.on("end", () => answer.end());
  });
  try {
    const there = await Elytra.connect({ server: between.origin, token: dev.token() });
    const wanted = Array.from({ length: 600 }, (_, at) => 3 + 2 * (at % 100));
    function* exponents() {
      yield* wanted;
    }
    for (const order of ["index", "completed"]) {
      broken = 0;
      const results = await there.map(exponents(), MERSENNE, { order, chunk: 4 });
      const seen = results.map(({ exponent }) => exponent);
      const sorted = (list) => (order === "index" ? list : list.toSorted((a, b) => a - b));
      assert.deepEqual(sorted(seen), sorted(wanted), order);
      assert.ok(broken > 0, "the stream was broken");
    }
    assert.ok(lost >= 2, "answers were lost");
    const { jobs } = await (await fetch(`${dev.origin}/api/v1/jobs`, { headers: { authorization: `Bearer ${dev.token()}` } })).json();
    assert.equal(jobs.length, 2, "each job was submitted once");
  } finally {
    between.close();
    await dev.stop();
  }
});

test("a server that is killed and started again gives the rest of the results", async () => {
  const first = await startServer("dev");
  const listen = new URL(first.origin).host;
  let second;
  try {
    const there = await Elytra.connect({ server: first.origin, token: first.token() });
    const seen = [];
    for await (const { exponent } of there.map(range(1_001, 2_001, 2), MERSENNE, { chunk: 4 })) {
      seen.push(exponent);
      if (seen.length === 20) {
        await first.stop({ signal: "SIGKILL", keep: true });
        second = await startServer("dev", { listen, data: first.data });
      }
    }
    assert.deepEqual(seen, [...range(1_001, 2_001, 2)]);
  } finally {
    await (second ?? first).stop();
  }
});

test("close() ends the server that local() started", async () => {
  const own = await Elytra.local({ binary: ELYTRA, slots: 1 });
  await own.close();
  await assert.rejects(fetch(own.server));
  await assert.rejects(Elytra.local({ binary: "/nowhere/elytra" }), /ELYTRA_BIN/);
});

test("the wire types are those of the server", async () => {
  const document = await (await fetch(`${elytra.server}/api/v1/openapi.json`)).json();
  const here = kept();
  const advice = "stale: run `npm run generate -w sdk`";
  assert.ok(here.document === documentText(document), advice);
  assert.ok(here.types === typesText(document), advice);
});
