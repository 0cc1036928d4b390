// What travels between page, hub, frame and slot. One direction, one union; every message names its kind.

/** What the page gives its hub first; the frame's port travels with it. */
export interface HubSetup {
  kind: "setup";
  /** The hub's own module, fetched and compiled ahead by the page. */
  wasm: WebAssembly.Module;
  options: HubOptions;
}

/** How the contributor lends this tab. */
export interface HubOptions {
  /** The coordinator's origin, such as `https://elytra.example`. */
  server: string;
  /** A bearer token, where the operator asks for one. */
  token: string | null;
  /** This worker's identity: 16 hex digits. */
  worker: string;
  /** The key of the contributor's account: 64 hex digits. */
  account: string | null;
  /** The name under which the contributor wants to be listed. */
  display_name: string | null;
  /** A name for people; may be empty. */
  name: string;
  /** Shards executed at a time. */
  slots: number;
  /** Share of the time the slots may work, 1 to 100. */
  intensity_percent: number;
  /** Chance for the jitter of reconnections. */
  seed: number;
  /** Memory one program instance may have, in MiB. */
  memory_mib: number;
  /** Whether fixed-width SIMD runs here. */
  simd: boolean;
}

/** What the page asks of a running hub. */
export type ToHub =
  | HubSetup
  | { kind: "pause"; reason: PauseReason }
  | { kind: "resume"; reason: PauseReason }
  | { kind: "finish" }
  | { kind: "stop" }
  | { kind: "slots"; slots: number }
  | { kind: "intensity"; percent: number };

/** Why a tab takes nothing; the words of the wire. */
export type PauseReason = "person" | "battery" | "hidden" | "schedule";

/** What a hub tells its page. */
export type FromHub =
  | { kind: "status"; status: Status }
  | { kind: "tile"; tile: Tile }
  | { kind: "stopped" }
  | { kind: "broken"; detail: string };

export type State = "stopped" | "connecting" | "working" | "idle" | "paused" | "finishing";

/** One job this tab works for. */
export interface JobStatus {
  id: string;
  name: string;
  owner: string;
  entry: string;
  picture: boolean;
  /** The job's parameters, as JSON, where it has a picture: they say how its tiles lie. */
  params: unknown;
}

/** How the tab stands. */
export interface Status {
  state: State;
  /** Why it is in that state, as a stable word; empty when there is nothing to say. */
  reason: string;
  /** For people: what the words above do not say, such as why a connection failed; mostly empty. */
  detail: string;
  jobs: JobStatus[];
  slots: number;
  /** One flag for each slot: whether it executes something now. */
  busy: boolean[];
  intensity_percent: number;
  shards_done: number;
  items_done: number;
  shards_failed: number;
  items_per_second: number;
  /** When it was started, in milliseconds since 1970. */
  started_ms: number;
  /** Connections lost or refused since then. */
  connection_errors: number;
}

/** An item's output that is a part of a picture. */
export interface Tile {
  job: string;
  item: number;
  /** Little-endian u16 pixels, row by row. */
  data: ArrayBuffer;
}

/** From the page to its frame, once; the hub's port travels with it. */
export interface FrameSetup {
  kind: "setup";
  /** The script of a slot: our own, never a tenant's. */
  source: string;
  /** Slots to start at once, numbered from 0. */
  slots: number;
}

/** From the hub to the frame. */
export type ToFrame = { kind: "spawn"; slot: number } | { kind: "kill"; slot: number };

/** From the frame to the hub; the slot's port travels with `slot`. */
export type FromFrame = { kind: "slot"; slot: number } | { kind: "died"; slot: number; detail: string };

/** From the hub to a slot. */
export type ToSlot =
  /** Compile for this much memory at once; a batch that allows another amount is compiled for when it comes. */
  | { kind: "program"; program: number; bytes: ArrayBuffer; memoryPagesMax: number }
  | { kind: "forget"; program: number }
  | Batch;

/** Shards to execute, in order. */
export interface Batch {
  kind: "batch";
  batch: number;
  program: number;
  entry: string;
  /** Begins every input of the batch. */
  prefix: ArrayBuffer;
  /** The rest of each input, one behind the other. */
  inputs: ArrayBuffer;
  /** Where each input ends in `inputs`. */
  ends: Uint32Array;
  memoryPagesMax: number;
  outputBytesMax: number;
  /** Report before every shard, so that the one that hangs is known. */
  careful: boolean;
}

/** The causes a slot can tell; the words of the wire. */
export type Cause = "item_failed" | "trapped" | "out_of_memory" | "output_too_long" | "refused";

/** From a slot to the hub. */
export type FromSlot =
  | { kind: "compiled"; program: number }
  | { kind: "refused"; program: number; detail: string }
  | Report
  | { kind: "end"; batch: number };

/** What became of the shards `first`, `first + 1`, … of a batch. The next one begins when this is sent. */
export interface Report {
  kind: "report";
  batch: number;
  first: number;
  /** Length of each output. */
  lengths: Uint32Array;
  data: ArrayBuffer;
  busyUs: number;
  /** The shard behind those, if it failed. */
  failure: { cause: Cause; detail: string; busyUs: number } | null;
}
