// What a probe is, and how it is run: as text, so that the same one runs through the debugger's door in a real slot
// or frame, in a page without walls, and as a hostile script in place of ours.

import type { Place } from "./canary";

/** What a probe is told; it travels into the browser. */
export interface At extends Place {
  param: string;
}

export interface Probe {
  name: string;
  /** Tries to get out. It resolves to "succeeded" where it sees by itself that it did; else a canary hears it. */
  run: (at: At) => unknown;
  /** What it is told besides. */
  param?: string;
  /** Which canary hears it; the one of its own address when left out. */
  heard?: "tcp:" | "udp:";
  /** How the page of its broken twin differs. */
  twin?: "own page" | "isolated" | "reporting";
  /** Why this Chromium shows no broken twin: nothing here can be reached without walls either. */
  twinless?: string;
}

/** How a probe ended: `succeeded`, `sent`, `late`, or `refused` with the reason. */
export type Outcome = string;

/** How long a probe may take to see what becomes of it. */
const PROBE_MS_MAX = 2_000;

/** Runs where the probe runs. The timer leads out of the debugger's call, in which `eval` is allowed everywhere. */
function settle(run: (at: At) => unknown, at: At, msMax: number): Promise<Outcome> {
  return new Promise((resolve) => {
    setTimeout(() => resolve("late"), msMax);
    setTimeout(async () => {
      try {
        resolve(String((await run(at)) ?? "sent"));
      } catch (error) {
        resolve(`refused: ${String(error)}`);
      }
    }, 0);
  });
}

/** An expression that runs the probe and becomes its outcome. */
export function expression(probe: Probe, place: Place): string {
  const at: At = { ...place, param: probe.param ?? "" };
  return `(${settle.toString()})(${probe.run.toString()}, ${JSON.stringify(at)}, ${PROBE_MS_MAX})`;
}

/** A slot's script that is not ours: it tries everything at once and keeps what became of it. */
export function hostileSlot(probes: Probe[], placeOf: (probe: Probe) => Place): string {
  const entries = probes.map((probe) => `[${JSON.stringify(probe.name)}, ${expression(probe, placeOf(probe))}]`);
  return `globalThis.outcomes = Promise.all([${entries.join(",\n")}].map(async ([name, outcome]) => [name, await outcome]));`;
}
