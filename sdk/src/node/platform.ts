// Node and Deno: files, the environment, and what `elytra dev` left in this folder.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Platform, WEB } from "../platform.js";

/** Where `elytra dev` keeps its data, unless it is told otherwise. */
const DEV_FOLDER = ".elytra";
const LOCAL = /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:|\/|$)/;

export const NODE: Platform = {
  setting: async (name, server) => {
    const told = process.env[name === "server" ? "ELYTRA_SERVER" : "ELYTRA_TOKEN"];
    if (told) return told;
    if (name === "server") return await left("address");
    // The token of a server on this machine is nobody else's business.
    return server && LOCAL.test(server) ? await left("token") : undefined;
  },
  read: async (source) => {
    const text = String(source);
    if (/^(https?|data|blob):/.test(text)) return await WEB.read(source);
    return new Uint8Array(await readFile(text.startsWith("file:") ? fileURLToPath(text) : text));
  },
  bundle: async (composed) => (await import("./bundle.js")).bundle(composed),
  start: async (options) => (await import("./local.js")).start(options),
};

async function left(file: string): Promise<string | undefined> {
  const text = await readFile(join(DEV_FOLDER, file), "utf8").catch(() => "");
  return text.trim() || undefined;
}
