// Builds built/kernels.wasm, or the file that is named: AssemblyScript to WebAssembly, and the description beside it.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "assemblyscript/asc";
import { ENTRIES } from "./description.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
/** A program declares how much memory it may take: 64 MiB. */
const MEMORY_PAGES_MAX = 1024;

const OPTIONS = [
  "assembly/index.ts",
  "-O3",
  "--converge",
  // Failures tell the file and line by a log line of Elytra's, not by an import of `env`.
  "--use",
  "abort=assembly/elytra/abort",
  "--maximumMemory",
  `${MEMORY_PAGES_MAX}`,
];

/** A section that no engine looks into: its name and its bytes behind their lengths. */
function section(name, text) {
  const size = (number) => (number < 128 ? [number] : [(number & 127) | 128, ...size(number >> 7)]);
  const framed = (bytes) => [...size(bytes.length), ...bytes];
  return Buffer.from([0, ...framed([...framed(Buffer.from(name)), ...Buffer.from(text)])]);
}

/** Compiles and describes; writes the program to `out`. */
export async function build(out) {
  const folder = mkdtempSync(join(tmpdir(), "elytra-asc-"));
  try {
    const binary = join(folder, "kernels.wasm");
    const { error, stderr } = await main(["--baseDir", HERE, ...OPTIONS, "--outFile", binary]);
    if (error) throw new Error(`${error.message}\n${stderr}`);
    const description = ENTRIES.map((entry) => `${JSON.stringify(entry)}\n`).join("");
    writeFileSync(out, Buffer.concat([readFileSync(binary), section("elytra.description", description)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build(process.argv[2] ?? join(HERE, "built/kernels.wasm"));
