// A real `elytra` on a free port with data of its own, for tests and for the generator of the types.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A debug build reads kernels and pages from disk; a start takes a second or two, never this long. */
const START_MS_MAX = 30_000;
const STOP_MS_MAX = 15_000;

/** The binary under test. */
export const ELYTRA = process.env.XTASK_ELYTRA ?? join(ROOT, "target", "debug", "elytra");

/** `mode` is a subcommand that serves: `dev` brings a native worker and a token, `server` neither. */
export async function startServer(mode, { listen = "127.0.0.1:0", data = mkdtempSync(join(tmpdir(), "elytra-sdk-")), settings = {} } = {}) {
  if (!existsSync(ELYTRA)) throw new Error(`${ELYTRA} is not there: build it with \`cargo build -p elytra\`, or name one in XTASK_ELYTRA`);
  const child = spawn(ELYTRA, [mode, "--listen", listen, "--data-dir", data], {
    cwd: data,
    env: { ...process.env, NO_COLOR: "1", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const origin = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`elytra ${mode} named no address:\n${said}`)), START_MS_MAX);
    const hear = (part) => {
      said += part;
      const address = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(said)?.[0];
      if (address) {
        clearTimeout(late);
        resolve(address);
      }
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", (code) => reject(new Error(`elytra ${mode} ended with ${code}:\n${said}`)));
  });
  const stop = async ({ signal = "SIGTERM", keep = false } = {}) => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      const insist = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
      child.kill(signal);
      await ended;
      clearTimeout(insist);
    }
    if (!keep) rmSync(data, { recursive: true, force: true });
  };
  const token = () => readFileSync(join(data, "token"), "utf8").trim();
  return { origin, data, token, stop, pid: child.pid };
}
