// The SDK as npm would publish it, installed into a folder of its own: nothing of the checkout is in reach but esbuild.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { transformSync } from "esbuild";
import { ROOT } from "./house.mjs";

/** Packs and installs, without a network and without building anew. */
export function install() {
  const folder = mkdtempSync(join(tmpdir(), "elytra-installed-"));
  const npm = (...args) => execFileSync("npm", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  npm("pack", join(ROOT, "sdk"), "--ignore-scripts", "--silent");
  const [packed] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  npm("install", join(folder, packed), "--offline", "--ignore-scripts", "--no-audit", "--no-fund");
  for (const name of ["esbuild", "@esbuild"]) symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Puts a TypeScript program there, as a runner of TypeScript would see it. */
export function place(folder, path) {
  const name = path.split("/").at(-1);
  const source = readFileSync(path, "utf8");
  const file = join(folder, name.replace(/\.ts$/, ".mjs"));
  const { code } = transformSync(source, { loader: "ts", sourcefile: name, target: "es2022" });
  writeFileSync(file, code);
  return file;
}
