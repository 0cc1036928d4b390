// Starts a real `elytra` with a store of its own on a free port, and stops it again.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A debug build reads kernels and pages from disk; a start takes a second or two, never this long. */
const START_MS_MAX = 30_000;
const STOP_MS_MAX = 15_000;

export interface Server {
  /** For example http://127.0.0.1:40123. */
  readonly origin: string;
  /** What it said so far, for the report of a failed test. */
  said(): string;
  stop(): Promise<void>;
}

/** The program under test. */
export function elytra(): string {
  return process.env.XTASK_ELYTRA ?? join(ROOT, "target", "debug", "elytra");
}

/** `mode` is a subcommand of `elytra` that serves: `dev` brings a native worker of so many `slots`, `server` none. */
export async function startServer(mode: "dev" | "server", slots?: number): Promise<Server> {
  const data = mkdtempSync(join(tmpdir(), "elytra-"));
  const args = [mode, "--listen", "127.0.0.1:0", "--data-dir", data];
  const env = { ...process.env, NO_COLOR: "1", ...(slots === undefined ? {} : { ELYTRA_SLOTS: `${slots}` }) };
  const child = spawn(elytra(), args, { cwd: data, env, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const hears = new AbortController();
  const origin = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`elytra ${mode} named no address:\n${text}`)), START_MS_MAX);
    hears.signal.addEventListener("abort", () => clearTimeout(late));
    const hear = (part: Buffer) => {
      text += part.toString();
      const address = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(text)?.[0];
      if (address) resolve(address);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`elytra ${mode} ended with ${code}:\n${text}`)));
  })
    .catch(async (error: unknown) => {
      await stop(child, data);
      throw error;
    })
    .finally(() => hears.abort());
  return { origin, said: () => text, stop: () => stop(child, data) };
}

/** Asks it to end, insists when it does not, and removes its data. */
async function stop(child: ChildProcess, data: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid) {
    const ended = once(child, "exit");
    const insist = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    child.kill("SIGTERM");
    await ended;
    clearTimeout(insist);
  }
  rmSync(data, { recursive: true, force: true });
}
