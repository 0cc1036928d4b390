// Counts the words of a text of any length. The file is read while the job runs, a piece of lines an item, never
// more than a few pieces at a time; what comes back are counts.
import { createReadStream } from "node:fs";
import { Elytra, task } from "elytra";

/** About this much text is one item. */
const PIECE_CHARS = 64 << 10;

/** Whole lines, as many as make a piece. */
async function* pieces(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const part of createReadStream(path, { encoding: "utf8", highWaterMark: PIECE_CHARS })) {
    const text = rest + (part as string);
    const end = text.lastIndexOf("\n") + 1;
    rest = text.slice(end);
    if (end > 0) yield text.slice(0, end);
  }
  if (rest) yield rest;
}

export const countWords = task(import.meta, function countWords(text: string) {
  const counts: Record<string, number> = {};
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
});

const [path, most = "10"] = process.argv.slice(2);
if (!path) throw new Error("give a text file: word-count.ts FILE [HOW MANY WORDS]");

const elytra = await Elytra.connect();
const all = new Map<string, number>();
for await (const counts of elytra.map(pieces(path), countWords, { inFlight: 256, order: "completed" })) {
  for (const [word, count] of Object.entries(counts)) all.set(word, (all.get(word) ?? 0) + count);
}
const sorted = [...all].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
for (const [word, count] of sorted.slice(0, Number(most))) console.log(`${count} ${word}`);
