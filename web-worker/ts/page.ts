// The page's side of a lent tab: `createContributor()` and nothing else. Creating one only fetches our own code
// ahead; nothing runs before `start()`, and after `stop()` nothing is left: no worker, no socket, no frame.

import { Session } from "./page/session";
import { fetchParts, type Parts } from "./page/parts";
import { claimAccount } from "./page/account";
import { claimIdentity } from "./page/identity";
import { stoppedStatus } from "./page/stopped";
import type { HubOptions, PauseReason, Status, Tile } from "./shared/messages";

export type { JobStatus, PauseReason, State, Status, Tile } from "./shared/messages";

/** All have defaults. */
export interface ContributorOptions {
  /** The coordinator's origin; this page's own when it is left out. */
  server?: string;
  /** A bearer token, where the operator asks for one. */
  token?: string;
  /** A name for people. */
  name?: string;
  /** Slots at the start; one less than the cores, at least one, when it is left out. */
  slots?: number;
  /** Share of the time the slots may work, 1 to 100. */
  intensity?: number;
}

export interface Contributor {
  /** Begins; the only call that starts anything. After a pause it goes on. */
  start(): void;
  pause(reason?: PauseReason): void;
  resume(reason?: PauseReason): void;
  /** Finishes what runs, takes nothing new, then stops. */
  finish(): void;
  /** Stops at once. */
  stop(): void;
  setSlots(slots: number): void;
  setIntensity(percent: number): void;
  /** Called at once with the status, then at every change, at most about ten times a second. */
  onStatus(callback: (status: Status) => void): void;
  /** Called with tiles of jobs that have a picture, at a bounded rate. */
  onTile(callback: (tile: Tile) => void): void;
}

/** Most slots of one tab. */
const SLOTS_MAX = 64;

export function createContributor(options: ContributorOptions = {}): Contributor {
  return new Tab(options);
}

class Tab implements Contributor {
  readonly #options: ContributorOptions;
  readonly #parts: Promise<Parts>;
  #session: Session | null = null;
  #slots: number;
  #intensity: number;
  #status: Status;
  readonly #statusCallbacks: ((status: Status) => void)[] = [];
  readonly #tileCallbacks: ((tile: Tile) => void)[] = [];

  constructor(options: ContributorOptions) {
    this.#options = options;
    this.#slots = within(options.slots ?? (navigator.hardwareConcurrency || 2) - 1, 1, SLOTS_MAX);
    this.#intensity = within(options.intensity ?? 100, 1, 100);
    this.#status = stoppedStatus(this.#slots, this.#intensity);
    this.#parts = fetchParts();
    // Whether they came is asked at the start; until then a failure is nobody's.
    this.#parts.catch(() => undefined);
  }

  start(): void {
    if (this.#session) return this.#session.tell({ kind: "resume", reason: "person" });
    // What could not be fetched ahead is tried once more now.
    const parts = this.#parts.catch(() => fetchParts());
    const session = new Session(parts, this.#hubOptions(), {
      onStatus: (status) => this.#publish(status),
      onTile: (tile) => this.#tileCallbacks.forEach((callback) => callback(tile)),
      onEnd: (reason, detail) => this.#ended(session, reason, detail),
    });
    this.#session = session;
    const started_ms = Date.now();
    this.#publish({ ...stoppedStatus(this.#slots, this.#intensity), state: "connecting", started_ms });
  }

  pause(reason: PauseReason = "person"): void {
    this.#session?.tell({ kind: "pause", reason });
  }

  resume(reason: PauseReason = "person"): void {
    this.#session?.tell({ kind: "resume", reason });
  }

  finish(): void {
    this.#session?.tell({ kind: "finish" });
  }

  stop(): void {
    const session = this.#session;
    if (!session) return;
    this.#ended(session, "", "");
  }

  setSlots(slots: number): void {
    this.#slots = within(slots, 1, SLOTS_MAX);
    if (this.#session) this.#session.tell({ kind: "slots", slots: this.#slots });
    else this.#publish({ ...this.#status, slots: this.#slots });
  }

  setIntensity(percent: number): void {
    this.#intensity = within(percent, 1, 100);
    if (this.#session) this.#session.tell({ kind: "intensity", percent: this.#intensity });
    else this.#publish({ ...this.#status, intensity_percent: this.#intensity });
  }

  onStatus(callback: (status: Status) => void): void {
    this.#statusCallbacks.push(callback);
    callback(this.#status);
  }

  onTile(callback: (tile: Tile) => void): void {
    this.#tileCallbacks.push(callback);
  }

  #hubOptions(): Promise<Omit<HubOptions, "memory_mib" | "simd">> {
    const { server, token, name } = this.#options;
    const [slots, intensity_percent] = [this.#slots, this.#intensity];
    return Promise.all([claimIdentity(), claimAccount()]).then(([worker, account]) => ({
      ...account,
      server: new URL(server ?? location.origin, location.href).origin,
      token: token || null,
      worker,
      name: name ?? "",
      slots,
      intensity_percent,
      seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
    }));
  }

  #publish(status: Status): void {
    this.#status = status;
    this.#statusCallbacks.forEach((callback) => callback(status));
  }

  #ended(session: Session, reason: string, detail: string): void {
    if (this.#session !== session) return;
    this.#session = null;
    session.end();
    this.#publish({ ...this.#status, state: "stopped", reason, detail, jobs: [], busy: [], items_per_second: 0 });
  }
}

function within(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, Math.round(value) || least));
}
