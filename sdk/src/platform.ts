// What differs between Node, Deno and a browser: files, processes, bundling, where settings come from.

import { ElytraError } from "./errors.js";
import type { LocalOptions, LocalServer } from "./local.js";
import type { Composed } from "./script/compose.js";
import type { SourceMap } from "./script/sourcemap.js";

/** A module without imports. */
export interface Bundled {
  readonly text: string;
  readonly map: SourceMap | undefined;
}

/** What the place we run in can do. */
export interface Platform {
  /** A setting that nobody gave: the address of a server, or the token for it. */
  setting(name: "server" | "token", server?: string): Promise<string | undefined>;
  /** The bytes at an address or in a file. */
  read(source: URL | string): Promise<Uint8Array>;
  /** Joins tasks and what they import to one module. */
  bundle(composed: Composed): Promise<Bundled>;
  /** Starts a server and a worker. */
  start(options: LocalOptions): Promise<LocalServer>;
}

/** A browser, or anything that is neither Node nor Deno. */
export const WEB: Platform = {
  setting: async () => undefined,
  read: async (source) => {
    const answer = await fetch(source);
    if (!answer.ok) throw new ElytraError("read", `${source} answered ${answer.status}: is the address right?`, { status: answer.status });
    return new Uint8Array(await answer.arrayBuffer());
  },
  bundle: async ({ places }) => {
    const [place] = places;
    throw new ElytraError("bundle", `the task '${place?.name ?? ""}' would have to be bundled, which a browser cannot: give a plain function that closes over nothing, wasm(…), or program(hash, entry) of what was pushed from Node`);
  },
  start: async () => {
    throw new ElytraError("local", "Elytra.local() starts processes, which a browser cannot: run `elytra dev` and use Elytra.connect()");
  },
};
