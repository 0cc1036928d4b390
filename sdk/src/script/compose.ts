// The module that is sent for a job: the functions it needs as exports, wrapped where the job wants more than a
// plain call. The same functions give the same text, so the same program at the server.

import { type AnyFunction, inline } from "./inline.js";
import { ENGINE_GLOBALS } from "./globals.js";
import { placeOf, type TaskPlace } from "../program.js";

/** What a job does with functions. */
export interface Plan {
  /** Computes an item; without it items are passed on as they are. */
  map: AnyFunction | undefined;
  /** Joins two outputs. */
  reduce: AnyFunction | undefined;
  /** Whether an item is a list of arguments. */
  spread: boolean;
  /** Whether a throw is an output like any other. */
  settled: boolean;
}

/** A module that imports its tasks from `elytra-task:N`, N counting `places`. */
export interface Composed {
  readonly text: string;
  /** What errors call it. */
  readonly file: string;
  readonly entry: string;
  readonly reduceEntry: string | undefined;
  readonly places: readonly TaskPlace[];
}

/** What import specifiers of tasks begin with. */
export const TASK_SCHEME = "elytra-task:";

/** How a settled call travels: one of the two. */
export interface SettledOutput {
  value?: unknown;
  error?: { message: string; stack: string };
}

const SETTLED = `const $told = (error) => ({ error: error instanceof Error
  ? { message: String(error), stack: String(error.stack ?? "") } : { message: "threw " + JSON.stringify(error), stack: "" } });
const $settled = (fn) => function $call(item, params) {
  try {
    const value = fn(item, params);
    return typeof value?.then === "function" ? value.then((value) => ({ value }), $told) : { value };
  } catch (error) {
    return $told(error);
  }
};
`;

const SPREAD = "const $spread = (fn) => function $call(items, params) { return params == null ? fn(...items) : fn(...items, params); };\n";

/** The module of a plan. Throws a CaptureError for a function that cannot travel. */
export function compose(plan: Plan): Composed {
  const places: TaskPlace[] = [];
  const texts: string[] = [];
  const taken = new Set<string>();
  const add = (fn: AnyFunction | undefined, otherwise: string): string => {
    const name = nameFor(fn, otherwise, taken);
    taken.add(name);
    const place = fn && placeOf(fn);
    if (place) texts.push(`import { $task as ${name} } from ${JSON.stringify(`${TASK_SCHEME}${places.push(place) - 1}`)};\n`);
    else if (fn) {
      const { prelude, expression } = inline(fn);
      if (!texts.includes(prelude)) texts.push(prelude);
      texts.push(`const ${name} = ${expression};\n`);
    } else texts.push(`const ${name} = (item) => item;\n`);
    return name;
  };
  const map = add(plan.map, "map");
  const reduce = plan.reduce && add(plan.reduce, "reduce");
  if (plan.spread) texts.push(SPREAD);
  if (plan.settled) texts.push(SETTLED);
  const called = plan.spread ? `$spread(${map})` : map;
  const wrapped = plan.settled ? `$settled(${called})` : called;
  texts.push(wrapped === map ? `export { ${map} };\n` : `const $entry = ${wrapped};\nexport { $entry as ${map} };\n`);
  if (reduce) texts.push(`export { ${reduce} };\n`);
  return { text: texts.join(""), file: `${map}.task.js`, entry: map, reduceEntry: reduce, places };
}

/** The function's own name where it can be one here: jobs and stacks then say what the author says. */
function nameFor(fn: AnyFunction | undefined, otherwise: string, taken: ReadonlySet<string>): string {
  const own = fn?.name ?? "";
  const usable = /^[A-Za-z_]\w*$/.test(own) && !ENGINE_GLOBALS.has(own) && !RESERVED.has(own) && !taken.has(own) && own !== "__name";
  return usable ? own : otherwise;
}

const RESERVED = new Set(
  (
    "arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for " +
    "function if implements import in instanceof interface let new null package private protected public return static super switch " +
    "this throw true try typeof var void while with yield"
  ).split(" "),
);
