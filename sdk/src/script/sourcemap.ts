// From a place in a bundle back to the author's file: enough of source maps (revision 3) to read our own.

/** A source map as esbuild writes it. */
export interface SourceMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** [column, source, line, column] of every segment, line by line; all from 0. */
type Segment = [number, number, number, number];

/** Rewrites the places of a stack that lie in `file`. */
export function mapStack(stack: string, file: string, map: SourceMap): string {
  let lines: Segment[][] | undefined;
  return stack.replaceAll(/(\S+?):(\d+):(\d+)/g, (whole, name: string, line: string, column: string) => {
    const bare = name.replace(/^\(/, "");
    if (bare !== file) return whole;
    lines ??= decode(map.mappings);
    const found = nearest(lines[Number(line) - 1] ?? [], Number(column) - 1);
    if (!found) return whole;
    return `${name === bare ? "" : "("}${map.sources[found[1]]}:${found[2] + 1}:${found[3] + 1}`;
  });
}

function nearest(segments: readonly Segment[], column: number): Segment | undefined {
  return segments.filter((segment) => segment[0] <= column).at(-1) ?? segments[0];
}

function decode(mappings: string): Segment[][] {
  const at = [0, 0, 0, 0] as Segment;
  return mappings.split(";").map((line) => {
    at[0] = 0;
    return line.split(",").flatMap((text) => {
      const deltas = numbers(text);
      if (deltas.length < 4) {
        at[0] += deltas[0] ?? 0;
        return [];
      }
      for (let field = 0; field < 4; field++) at[field as 0] += deltas[field] ?? 0;
      return [[...at] as Segment];
    });
  });
}

/** Base64 digits of six bits, the highest saying that more follow, the lowest of the number its sign. */
function numbers(text: string): number[] {
  const found: number[] = [];
  let value = 0;
  let shift = 0;
  for (const letter of text) {
    const digit = DIGITS.indexOf(letter);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    found.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return found;
}
