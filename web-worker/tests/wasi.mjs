// An implementation of WASI that shares nothing with ours: Node's own, in a process of its own.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Both streams are files, because this WASI has trouble with pipes. */
const RUN = `
  import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
  import { WASI } from "node:wasi";
  const [, path, folder, ...args] = process.argv;
  const module = new WebAssembly.Module(readFileSync(path));
  const stdout = openSync(folder + "/stdout", "w");
  for (const text of JSON.parse(readFileSync(folder + "/stdins", "utf8"))) {
    writeFileSync(folder + "/stdin", text);
    const stdin = openSync(folder + "/stdin", "r");
    const wasi = new WASI({ version: "preview1", args: ["command", ...args], stdin, stdout, returnOnExit: true });
    const code = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
    closeSync(stdin);
    if (code !== 0) process.exit(code);
  }`;

/** Node 20 spoils its heap where V8 calls WASI by its short way; and its WASI is still an experiment. */
const FLAGS = ["--no-turbo-fast-api-calls", "--no-warnings", "--input-type=module", "--eval", RUN];

/** A program of the examples. */
export const exampleUrl = (name) => new URL(`../../examples/commands/built/${name}.wasm`, import.meta.url);

/** What a program of the examples writes to standard output. */
export const underNode = (name, args, stdin) => underNodeEach(name, args, [stdin]);

/** The same of many processes, one after the other. */
export function underNodeEach(name, args, stdins) {
  const folder = mkdtempSync(join(tmpdir(), "elytra-wasi-"));
  try {
    writeFileSync(join(folder, "stdins"), JSON.stringify(stdins));
    const command = [...FLAGS, fileURLToPath(exampleUrl(name)), folder, ...args];
    const ran = spawnSync(process.execPath, command, { stdio: ["ignore", "inherit", "pipe"] });
    if (ran.status !== 0) throw new Error(`${name} ended with ${ran.status}: ${ran.stderr}`);
    return readFileSync(join(folder, "stdout"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
