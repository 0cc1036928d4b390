// Builds dist/: one module for Node and Deno, one for browsers, and the types. Nothing is left to install but
// esbuild, and that only where tasks are bundled.

import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SDK = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(SDK, "dist");

const shared = {
  absWorkingDir: SDK,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "inline",
  sourcemap: "linked",
  outdir: DIST,
  logLevel: "warning",
};

rmSync(DIST, { recursive: true, force: true });
await Promise.all([
  // Bundling and starting are modules of their own, loaded when they are needed.
  build({ ...shared, entryPoints: { node: "src/node.ts" }, platform: "node", splitting: true, external: ["esbuild"], chunkNames: "[name]-[hash]" }),
  build({ ...shared, entryPoints: { browser: "src/index.ts" }, platform: "browser" }),
]);
const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
const types = spawnSync(process.execPath, [join(dirname(typescript), "bin", "tsc"), "--project", join(SDK, "tsconfig.json")], { stdio: "inherit" });
process.exit(types.status ?? 1);
