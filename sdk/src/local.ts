// The words of a server that was started for this program only.

/** How `Elytra.local()` starts its server and worker. */
export interface LocalOptions {
  /** The `elytra` program; else ELYTRA_BIN, then the search path. */
  binary?: string;
  /** How many shards run at a time; else one a core. */
  slots?: number;
  /** Where jobs and results are kept; else a temporary folder that is removed at the end. */
  dataDir?: string;
}

/** A started server. */
export interface LocalServer {
  readonly server: string;
  readonly token: string;
  /** Its process. */
  readonly pid: number;
  /** Ends server and worker. */
  stop(): Promise<void>;
}
