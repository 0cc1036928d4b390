// Two tabs and a native worker share jobs, a tab is closed in the middle, and the answers are those of the native
// worker alone.

import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";
import { expect, test, type Browser } from "@playwright/test";
import { Api } from "./api";
import { digestOf } from "./digest";
import { lendTab } from "./lend";
import { startServer, type Server } from "./server";

let server: Server;
let api: Api;

test.beforeAll(async () => {
  process.env.ELYTRA_SLOTS = "1";
  server = await startServer("dev");
  api = await Api.connect(server);
});

test.afterAll(async () => {
  await server?.stop();
});

/** A sequence that looks like DNA: the bits of a linear congruential generator. */
function sequence(length: number, seed: number): string {
  let state = seed;
  const letter = () => "ACGT"[(state = (state * 1_664_525 + 1_013_904_223) >>> 0) >>> 30];
  return Array.from({ length }, letter).join("");
}

const reference = sequence(6_000, 1);

const JOBS = [
  {
    entry: "mandelbrot",
    params: { width: 1024, height: 768, center_x: -0.7436, center_y: 0.1318, span: 0.004, iterations_max: 20_000 },
    input: { range: { end: 192 } },
  },
  {
    entry: "align",
    params: { reference: `>reference\n${reference}` },
    input: { items: Array.from({ length: 60 }, (_, k) => reference.slice(k * 50, k * 50 + 900) + sequence(100, k + 2)) },
  },
];

async function digest(job: (typeof JOBS)[number], meanwhile: (id: string) => Promise<void>): Promise<string> {
  const { id } = await api.submit({ program: "rust-core", grain: { items: 1 }, ...job });
  await meanwhile(id);
  const over = await api.over(id);
  expect(over.state, over.reason).toBe("succeeded");
  return digestOf(await api.outputs(id));
}

/** How many shards tabs have had accepted. */
async function tabsAccepted(): Promise<number> {
  const tabs = (await api.workers()).filter(({ kind }) => kind === "tab");
  return tabs.reduce((sum, { accepted }) => sum + accepted, 0);
}

/** Two tabs work on what `run` starts; one of them is closed as soon as both sides took part. */
async function withTabs<T>(browser: Browser, run: (meanwhile: () => Promise<void>) => Promise<T>): Promise<T> {
  const pages = [await lendTab(browser, server.origin), await lendTab(browser, server.origin)];
  const before = await tabsAccepted();
  const result = await run(async () => {
    await expect.poll(tabsAccepted, { intervals: [20], message: "tabs take part" }).toBeGreaterThan(before);
    await pages.pop()?.context().close();
  });
  await pages[0]?.context().close();
  return result;
}

for (const job of JOBS) {
  test(`${job.entry}: two tabs and a native worker answer as the native worker does`, async ({ browser }) => {
    const alone = await digest(job, async () => {});
    const together = await withTabs(browser, (meanwhile) => digest(job, meanwhile));
    expect(together).toBe(alone);
  });
}

/** What a WASI program writes under Node's own WASI, which shares nothing with ours. */
async function underNode(wasm: Uint8Array<ArrayBuffer>, args: string[], input: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "elytra-wasi-"));
  const [inPath, outPath] = [join(folder, "in"), join(folder, "out")];
  await writeFile(inPath, input);
  const [stdin, stdout] = [await open(inPath, "r"), await open(outPath, "w")];
  const wasi = new WASI({ version: "preview1", args: ["program", ...args], stdin: stdin.fd, stdout: stdout.fd, returnOnExit: true });
  const { instance } = await WebAssembly.instantiate(wasm, wasi.getImportObject() as WebAssembly.Imports);
  wasi.start(instance);
  await Promise.all([stdin.close(), stdout.close()]);
  const output = await readFile(outPath, "utf8");
  await rm(folder, { recursive: true });
  return output;
}

test("a command over 100,000 lines writes what it writes under another WASI", async ({ browser }) => {
  const wasm = Uint8Array.from(await readFile(new URL("../../examples/commands/built/words.wasm", import.meta.url)));
  const input = Array.from({ length: 100_000 }, (_, k) => `${"word ".repeat(k % 17)}${k}\n`).join("");
  const blob = await api.put(new TextEncoder().encode(input));
  const program = await api.push("words.wasm", wasm);
  const output = await withTabs(browser, async (meanwhile) => {
    const { id } = await api.submit({
      program,
      entry: "main",
      params: { args: ["-l"] },
      input: { blob: { blob, split: "lines", encoding: "text" } },
      grain: { items: 50 },
    });
    await meanwhile();
    expect((await api.over(id)).state).toBe("succeeded");
    return Buffer.concat(await api.outputs(id)).toString();
  });
  expect(digestOf([Buffer.from(output)])).toBe(digestOf([Buffer.from(await underNode(wasm, ["-l"], input))]));
});

const SCRIPT = `
export default (n: number): object => ({ n, root: Math.sqrt(n), wave: Math.sin(n) ** 3, chance: Math.random() });
export const wave = (n: number): number => { for (let k = 0; k < 2000; k++) Math.sin(k); return Math.sin(n) / (n + 1); };
export const add = (a: number, b: number): number => a + b;
`;

test("a script and its reduction have the same bits on tabs and native workers", async ({ browser }) => {
  const program = await api.push("waves.ts", new TextEncoder().encode(SCRIPT));
  const run = async (spec: object, meanwhile = async () => {}) => {
    const { id } = await api.submit({ program, input: { range: { end: 2_000 } }, grain: { items: 10 }, ...spec });
    await meanwhile();
    const over = await api.over(id);
    expect(over.state, over.reason).toBe("succeeded");
    return digestOf(await api.outputs(id));
  };
  const sum = { entry: "wave", reduce: { entry: "add" } };
  const alone = [await run({ entry: "default" }), await run(sum)];
  const together = await withTabs(browser, async (meanwhile) => [await run({ entry: "default" }), await run(sum, meanwhile)]);
  expect(together).toEqual(alone);
});
