// The coordinator's HTTP interface, as far as tests need it.

import type { Server } from "./server";

/** How long a job of a test may take. */
const JOB_MS_MAX = 45_000;
const POLL_MS = 50;
/** How long the server may take from its address to its token. */
const TOKEN_MS_MAX = 5_000;

export interface Job {
  id: string;
  state: string;
  reason?: string;
  counts: { items_accepted: number; accepted: number; leased: number; failed: number };
  started_ms?: number;
  ended_ms?: number;
}

export interface Worker {
  connected: boolean;
  kind: string;
  accepted: number;
}

type ResultLine = { item?: { item: number; output?: unknown; bytes?: string }; cursor?: { cursor: string; end: boolean } };

export class Api {
  constructor(
    readonly server: Server,
    readonly token: string,
  ) {}

  /** With the token that `elytra dev` made for itself and names with its address. */
  static async connect(server: Server): Promise<Api> {
    const until = Date.now() + TOKEN_MS_MAX;
    for (;;) {
      const token = /#token=(\S+)/.exec(server.said())?.[1];
      if (token) return new Api(server, token);
      if (Date.now() > until) throw new Error(`the server named no token:\n${server.said()}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  submit(spec: object): Promise<Job> {
    return this.#ask("POST", "jobs", spec) as Promise<Job>;
  }

  /** Uploads a program under its file's name; its hash. */
  async push(file: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const path = `programs?file=${encodeURIComponent(file)}`;
    return (JSON.parse(await this.#text(path, "POST", bytes)) as { hash: string }).hash;
  }

  job(id: string): Promise<Job> {
    return this.#ask("GET", `jobs/${id}`) as Promise<Job>;
  }

  cancel(id: string): Promise<Job> {
    return this.#ask("POST", `jobs/${id}/cancel`) as Promise<Job>;
  }

  async workers(): Promise<Worker[]> {
    const { workers } = (await this.#ask("GET", "workers")) as { workers: Worker[] };
    return workers;
  }

  /** How many shards tabs have had accepted. */
  async tabsAccepted(): Promise<number> {
    const tabs = (await this.workers()).filter(({ kind }) => kind === "tab");
    return tabs.reduce((sum, { accepted }) => sum + accepted, 0);
  }

  async causes(id: string): Promise<string[]> {
    const { groups } = (await this.#ask("GET", `jobs/${id}/errors`)) as { groups: { cause: string }[] };
    return groups.map(({ cause }) => cause);
  }

  /** The job when it is over. */
  async over(id: string): Promise<Job> {
    const until = Date.now() + JOB_MS_MAX;
    for (;;) {
      const job = await this.job(id);
      if (["succeeded", "failed", "canceled"].includes(job.state)) return job;
      if (Date.now() > until) throw new Error(`job ${id} is not over in time: ${JSON.stringify(job.counts)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** The outputs in order, as the program wrote them. */
  async outputs(id: string): Promise<Buffer[]> {
    const outputs: Buffer[] = [];
    let cursor = "";
    for (;;) {
      const page = await this.#text(`jobs/${id}/results?order=index&limit=10000${cursor && `&cursor=${cursor}`}`);
      const lines = page.split("\n").filter(Boolean).map((line) => JSON.parse(line) as ResultLine);
      for (const { item } of lines) {
        if (item) outputs.push(item.bytes === undefined ? Buffer.from(JSON.stringify(item.output)) : Buffer.from(item.bytes, "base64"));
      }
      const end = lines.at(-1)?.cursor;
      if (!end || end.end) return outputs;
      cursor = end.cursor;
    }
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    return JSON.parse(await this.#text(path, method, body && JSON.stringify(body))) as unknown;
  }

  async #text(path: string, method = "GET", body?: BodyInit): Promise<string> {
    const headers = { authorization: `Bearer ${this.token}`, "content-type": "application/json" };
    const answer = await fetch(`${this.server.origin}/api/v1/${path}`, { method, headers, ...(body ? { body } : {}) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return text;
  }
}
