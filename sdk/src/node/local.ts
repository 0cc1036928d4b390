// Starts `elytra dev` on a free port with data of its own, and ends it by its process id.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ElytraError } from "../errors.js";
import type { LocalOptions, LocalServer } from "../local.js";

const START_MS_MAX = 30_000;
/** How long it may take to end by itself before it is killed. */
const STOP_MS_MAX = 10_000;
/** What it said is kept for the message of a failed start. */
const SAID_CHARS_MAX = 16 << 10;

/** In a checkout of Elytra itself, what was built there. */
const HOUSE = ["release", "debug"].map((profile) => fileURLToPath(new URL(`../../target/${profile}/elytra`, import.meta.url)));

/** Starts it; rejects with what it said when it does not come up. */
export async function start(options: LocalOptions): Promise<LocalServer> {
  const binary = await find(options.binary);
  const folder = options.dataDir ?? (await mkdtemp(join(tmpdir(), "elytra-")));
  const slots = options.slots === undefined ? [] : ["--slots", String(options.slots)];
  const args = ["dev", "--listen", "127.0.0.1:0", "--data-dir", folder, ...slots];
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env: environment() });
  const release = tie(child);
  const stop = async () => {
    release();
    await end(child);
    if (!options.dataDir) await rm(folder, { recursive: true, force: true });
  };
  try {
    const server = await address(child, binary);
    const token = (await readFile(join(folder, "token"), "utf8")).trim();
    quiet(child);
    return { server, token, pid: child.pid ?? 0, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** When this program ends without close(), by itself or by a signal, the server must not outlive it. */
function tie(child: ChildProcess): () => void {
  const kill = () => void child.kill("SIGTERM");
  const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  const told = (signal: NodeJS.Signals) => {
    kill();
    release();
    // Whoever else listens decides; otherwise the signal does what it would have done.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const release = () => {
    process.removeListener("exit", kill);
    for (const signal of signals) process.removeListener(signal, told);
  };
  process.once("exit", kill);
  for (const signal of signals) process.on(signal, told);
  return release;
}

/** Settings of another server must not reach this one. */
function environment(): NodeJS.ProcessEnv {
  const { ELYTRA_SERVER: _server, ELYTRA_TOKEN: _token, ...rest } = process.env;
  return { ...rest, NO_COLOR: "1" };
}

async function find(given: string | undefined): Promise<string> {
  const named = given ?? process.env.ELYTRA_BIN;
  const places = named ? [named] : (process.env.PATH ?? "").split(delimiter).filter(Boolean).map((folder) => join(folder, "elytra")).concat(HOUSE);
  for (const place of places) {
    if (await access(place, constants.X_OK).then(() => true, () => false)) return place;
  }
  const what = named ? `${named} is not a program that can be run` : "the program `elytra` is not on the search path";
  throw new ElytraError("local", `${what}: install it, or name it with Elytra.local({ binary }) or ELYTRA_BIN`);
}

function address(child: ChildProcess, binary: string): Promise<string> {
  let said = "";
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new ElytraError("local", `${binary} dev ${why}: ${said.trim() || "it said nothing"}`));
    const late = setTimeout(() => fail(`named no address within ${START_MS_MAX / 1_000} s`), START_MS_MAX);
    const done = (settle: () => void) => {
      clearTimeout(late);
      settle();
    };
    const hear = (part: Buffer) => {
      said = (said + part.toString()).slice(-SAID_CHARS_MAX);
      const found = /http:\/\/127\.0\.0\.1:[1-9]\d*(?=[\s/])/.exec(said);
      if (found) done(() => resolve(found[0]));
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    child.once("error", (error) => done(() => fail(`could not be started (${error.message})`)));
    child.once("exit", (code, signal) => done(() => fail(`ended with ${code ?? signal}`)));
  });
}

/** Its pipes are read on, so that it never waits for us, and hold this program no longer than it wants. */
function quiet(child: ChildProcess): void {
  for (const pipe of [child.stdout, child.stderr]) {
    pipe?.removeAllListeners("data");
    pipe?.resume();
    (pipe as unknown as { unref?: () => void } | null)?.unref?.();
  }
  child.unref();
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const ended = once(child, "exit");
  const insist = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  child.kill("SIGTERM");
  await ended;
  clearTimeout(insist);
}
