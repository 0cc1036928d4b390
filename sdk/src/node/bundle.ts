// Bundles tasks with esbuild: each task's module, cut down to the task, with everything it imports.

import { Buffer } from "node:buffer";
import { readFile, stat } from "node:fs/promises";
import { dirname, extname, relative, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type * as Esbuild from "esbuild";
import { ElytraError } from "../errors.js";
import type { Bundled } from "../platform.js";
import type { TaskPlace } from "../program.js";
import { Recent } from "../recent.js";
import { type Composed, TASK_SCHEME } from "../script/compose.js";
import { prune } from "../script/prune.js";
import type { SourceMap } from "../script/sourcemap.js";
import { STUB } from "./stub.js";

/** The server takes no longer module; its source map does not count. */
const BUNDLE_BYTES_MAX = 400 << 10;

/** Bundles that are not made again. */
const BUNDLES_KNOWN_MAX = 64;

const LOADERS: Record<string, Esbuild.Loader> = {
  ".ts": "ts", ".mts": "ts", ".cts": "ts", ".tsx": "tsx", ".jsx": "jsx", ".js": "js", ".mjs": "js", ".cjs": "js",
};

/** Bundles by their text and the times of the files in them, so that a job of a known task costs no bundling. */
const KNOWN = new Recent<string, { bundled: Bundled; inputs: Map<string, number> }>(BUNDLES_KNOWN_MAX);

/** One module without imports, with a source map at its end. */
export async function bundle(composed: Composed): Promise<Bundled> {
  const key = JSON.stringify([composed.text, composed.places]);
  const known = KNOWN.get(key);
  if (known && (await isFresh(known.inputs))) return known.bundled;
  const esbuild = await load();
  const result = await build(esbuild, composed);
  const code = result.outputFiles.find((file) => file.path.endsWith(".js"))?.text ?? "";
  const mapFile = result.outputFiles.find((file) => file.path.endsWith(".map"));
  tooLong(code, result.metafile);
  const map = JSON.parse(mapFile?.text ?? "{}") as SourceMap;
  const bundled = { text: code + inlined(map), map: { sources: map.sources, mappings: map.mappings } };
  KNOWN.set(key, { bundled, inputs: await timesOf(composed.places, result.metafile) });
  return bundled;
}

async function load(): Promise<typeof Esbuild> {
  try {
    return await import("esbuild");
  } catch (cause) {
    throw new ElytraError("esbuild", "a task is bundled with esbuild, which is not installed here: run `npm install esbuild`", { cause });
  }
}

async function build(esbuild: typeof Esbuild, composed: Composed) {
  try {
    return await esbuild.build({
      stdin: { contents: composed.text, loader: "js", resolveDir: process.cwd(), sourcefile: composed.file },
      outfile: composed.file,
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      target: "es2023",
      mainFields: ["module", "main"],
      conditions: ["import", "default"],
      charset: "utf8",
      legalComments: "none",
      sourcemap: "external",
      metafile: true,
      logLevel: "silent",
      define: { "import.meta.url": '""' },
      // What the module says about itself means nothing in a task.
      logOverride: { "empty-import-meta": "silent" },
      plugins: [plugin(esbuild, composed.places)],
    });
  } catch (cause) {
    const { errors = [] } = cause as { errors?: Esbuild.Message[] };
    throw new ElytraError("bundle", `the task cannot be bundled: ${errors.map(told).join("; ") || String(cause)}`, { cause });
  }
}

function told({ text, location }: Esbuild.Message): string {
  const builtIn = /Could not resolve "(node:[^"]+|fs|path|os|http|crypto|child_process)"/.exec(text);
  const advice = builtIn ? " (a task runs in a sandbox that has nothing of Node: read files before, and send what they hold)" : "";
  return `${location ? `${location.file}:${location.line}:${location.column + 1}: ` : ""}${text}${advice}`;
}

function plugin(esbuild: typeof Esbuild, places: readonly TaskPlace[]): Esbuild.Plugin {
  return {
    name: "elytra",
    setup(build) {
      build.onResolve({ filter: /^elytra$/ }, () => ({ path: "elytra", namespace: "elytra-stub", sideEffects: false }));
      build.onLoad({ filter: /.*/, namespace: "elytra-stub" }, () => ({ contents: STUB, loader: "js" }));
      build.onResolve({ filter: new RegExp(`^${TASK_SCHEME}`) }, ({ path }) => ({ path: path.slice(TASK_SCHEME.length), namespace: "elytra-task" }));
      build.onLoad({ filter: /.*/, namespace: "elytra-task" }, async ({ path }) => {
        const place = places[Number(path)];
        if (!place) return { errors: [{ text: `there is no task ${path}` }] };
        return await loadTask(esbuild, place);
      });
    },
  };
}

async function loadTask(esbuild: typeof Esbuild, place: TaskPlace): Promise<Esbuild.OnLoadResult> {
  const file = fileOf(place);
  const source = await readFile(file, "utf8");
  const loader = LOADERS[extname(file)] ?? "ts";
  const { code } = await esbuild.transform(source, { loader, sourcefile: shown(file), sourcemap: "inline", target: "es2023" });
  try {
    return { contents: prune(code, place), loader: "js", resolveDir: dirname(file), watchFiles: [file] };
  } catch (error) {
    return { errors: [{ text: (error as Error).message }] };
  }
}

/** A path as the author would write it; the same in every checkout, so that a bundle's hash is too. */
function shown(file: string): string {
  return relative(process.cwd(), file).split(sep).join("/");
}

function fileOf({ url }: TaskPlace): string {
  if (url.startsWith("file:")) return fileURLToPath(url);
  throw new ElytraError("task", `the task's module is at ${url}, which cannot be read from here: only files can be bundled; give a plain function, or wasm(…)`);
}

/** The map as a comment; the server keeps it apart and shows the author's lines in errors. */
function inlined(map: SourceMap): string {
  return `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString("base64")}\n`;
}

function tooLong(text: string, { outputs }: Esbuild.Metafile): void {
  const bytes = Buffer.byteLength(text);
  if (bytes <= BUNDLE_BYTES_MAX) return;
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const largest = inputs.sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput).slice(0, 3);
  const parts = largest.map(([path, { bytesInOutput }]) => `${path} ${bytesInOutput >> 10} KiB`).join(", ");
  throw new ElytraError("bundle", `the task's bundle has ${bytes >> 10} KiB, at most ${BUNDLE_BYTES_MAX >> 10} are allowed (largest: ${parts}): import less, or move data to items and params`);
}

async function timesOf(places: readonly TaskPlace[], { inputs }: Esbuild.Metafile): Promise<Map<string, number>> {
  const files = [...places.map(fileOf), ...Object.keys(inputs).filter((path) => !path.includes(":") && path !== "<stdin>")];
  const times = new Map<string, number>();
  for (const file of files) {
    const time = await stat(file).then(({ mtimeMs }) => mtimeMs, () => undefined);
    if (time !== undefined) times.set(file, time);
  }
  return times;
}

async function isFresh(inputs: ReadonlyMap<string, number>): Promise<boolean> {
  for (const [file, time] of inputs) {
    const now = await stat(file).then(({ mtimeMs }) => mtimeMs, () => undefined);
    if (now !== time) return false;
  }
  return true;
}
