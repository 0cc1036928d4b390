// An implementation of WASI that shares nothing with ours: Node's own, in a process of its own.

import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const RUN = `
  import { readFileSync } from "node:fs";
  import { WASI } from "node:wasi";
  const [, module, ...args] = process.argv;
  const wasi = new WASI({ version: "preview1", args: ["command", ...args] });
  const { instance } = await WebAssembly.instantiate(readFileSync(module), wasi.getImportObject());
  process.exitCode = wasi.start(instance);`;

/** Node 20 spoils its heap where V8 calls WASI by its short way; and its WASI is still an experiment. */
const FLAGS = ["--no-turbo-fast-api-calls", "--no-warnings", "--input-type=module", "--eval", RUN];

/** A program of the examples. */
export const exampleUrl = (name) => new URL(`../../examples/commands/built/${name}.wasm`, import.meta.url);

/** What a program of the examples writes to standard output. */
export function underNode(name, args, stdin) {
  const folder = mkdtempSync(join(tmpdir(), "elytra-wasi-"));
  const [from, to] = [join(folder, "stdin"), join(folder, "stdout")];
  writeFileSync(from, stdin);
  try {
    return run(name, args, from, to);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Both streams are files, because this WASI has trouble with pipes. */
function run(name, args, from, to) {
  const [stdin, stdout] = [openSync(from, "r"), openSync(to, "w")];
  const command = [...FLAGS, fileURLToPath(exampleUrl(name)), ...args];
  const ran = spawnSync(process.execPath, command, { stdio: [stdin, stdout, "pipe"] });
  [stdin, stdout].forEach(closeSync);
  if (ran.status !== 0) throw new Error(`${name} ended with ${ran.status}: ${ran.stderr}`);
  return readFileSync(to);
}
