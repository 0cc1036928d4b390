// The door from npm to cargo: installs the locked npm packages when they are missing or stale, then hands
// everything to `cargo xtask`. It uses nothing but Node, because before it nothing is installed.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const STAMP = join(ROOT, "node_modules", ".elytra-lock");
const NODE_MAJOR_MIN = 20;

/** Ends with the reason on standard error. */
function fail(reason) {
  console.error(`elytra: ${reason}`);
  process.exit(1);
}

/** Runs a program on this terminal and returns its exit code; ends when it is not there. */
function run(program, args) {
  const done = spawnSync(program, args, { cwd: ROOT, stdio: "inherit", shell: process.platform === "win32" });
  if (done.error?.code === "ENOENT") fail(`${program} is not installed; see CONTRIBUTING.md`);
  if (done.error) fail(`${program}: ${done.error.message}`);
  return done.status ?? 1;
}

/** Installs the locked packages unless node_modules was installed from this very lock file. */
function ensurePackages() {
  const lock = createHash("sha256").update(readFileSync(join(ROOT, "package-lock.json"))).digest("hex");
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === lock) return;
  console.error("elytra: installing npm packages");
  if (run("npm", ["ci", "--no-audit", "--no-fund"]) !== 0) fail("npm ci failed; the lines above say why");
  writeFileSync(STAMP, lock);
}

if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
  fail(`Node ${process.versions.node} is too old; install Node ${NODE_MAJOR_MIN} or newer`);
}
ensurePackages();
process.exit(run("cargo", ["xtask", ...process.argv.slice(2)]));
