// A job's results as they come: one NDJSON stream, parsed piece by piece, taken up again by its cursor when it
// breaks. What is not read is not fetched: the server waits with the rest.

import { ElytraError } from "./errors.js";
import type { Cause, JobState, ResultLine } from "./generated/api.js";
import { backoffMs, type Http, problemOf, sleep } from "./http.js";

/** In which order results come. */
export type Order = "index" | "completed";

/** Items that have no output. */
export interface FailedItems {
  first: number;
  end: number;
  cause: Cause;
  detail: string;
}

/** Neighbouring lines of a stream: outputs with their numbers, then at most one failure. */
export interface Piece {
  indexes: number[];
  outputs: unknown[];
  failed?: FailedItems;
}

interface Place {
  cursor: string | undefined;
  /** Lines that were told since the cursor: they come again when the stream is taken up there. */
  told: number;
  end: JobState | undefined;
  /** When the connection was seen to work last. */
  aliveMs: number;
}

/** Reads a job's results to the end, or for ever while an open job is fed. Returns the job's last state. */
export async function* results(http: Http, job: string, order: Order, signal?: AbortSignal): AsyncGenerator<Piece, JobState> {
  const place: Place = { cursor: undefined, told: 0, end: undefined, aliveMs: Date.now() };
  for (let tries = 0; ; ) {
    try {
      for await (const piece of stream(http, job, order, place, signal)) {
        tries = 0;
        yield piece;
        place.aliveMs = Date.now();
      }
      if (place.end) return place.end;
      tries = 0;
    } catch (error) {
      signal?.throwIfAborted();
      // What the server says about the request stays true; a broken connection does not.
      if (error instanceof ElytraError && error.status !== 503) throw error;
      if (Date.now() - place.aliveMs > http.door.patienceMs) throw error instanceof ElytraError ? error : http.unreachable(error);
    }
    await sleep(backoffMs(tries++), signal);
  }
}

/** One connection. Moves `place` on with what was read. */
async function* stream(http: Http, job: string, order: Order, place: Place, signal?: AbortSignal): AsyncGenerator<Piece> {
  const cursor = place.cursor ? `&cursor=${place.cursor}` : "";
  const answer = await http.send(`jobs/${job}/results?follow=true&order=${order}${cursor}`, { signal });
  if (!answer.ok) throw await problemOf(answer);
  let again = place.told;
  for await (const lines of linesOf(answer, place)) {
    const piece: Piece = { indexes: [], outputs: [] };
    for (const line of lines) {
      if ("cursor" in line) {
        place.cursor = line.cursor.cursor;
        // What is still to be told again lies behind this cursor.
        place.told = again;
        if (line.cursor.end) place.end = line.cursor.state;
      } else if (again > 0) {
        again--;
      } else {
        place.told++;
        if ("item" in line) {
          piece.indexes.push(line.item.item);
          piece.outputs.push(outputOf(line.item));
        } else {
          const { first_item: first, end_item: end, cause, detail } = line.failed;
          yield { ...piece, failed: { first, end, cause, detail } };
          piece.indexes = [];
          piece.outputs = [];
        }
      }
    }
    if (piece.outputs.length > 0) yield piece;
  }
}

type Item = Extract<ResultLine, { item: unknown }>["item"];

function outputOf(item: Item): unknown {
  return item.bytes == null ? item.output : fromBase64(item.bytes);
}

/** Whole lines of a body, as many at a time as arrived: one JSON.parse for all of them. */
async function* linesOf(answer: Response, place: Place): AsyncGenerator<ResultLine[]> {
  if (!answer.body) return;
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const text = rest + decoder.decode(value, { stream: true });
      const end = text.lastIndexOf("\n");
      rest = text.slice(end + 1);
      if (end > 0) yield JSON.parse(`[${text.slice(0, end).replaceAll("\n", ",")}]`) as ResultLine[];
    }
  } finally {
    // It lived until now, however long nothing came.
    place.aliveMs = Date.now();
    // A reader that leaves early must not keep the connection.
    await reader.cancel().catch(() => {});
  }
}

/** Bytes from base64 (RFC 4648). */
export function fromBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
