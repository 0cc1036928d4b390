// A function given as it stands: only its text travels, so everything it uses must be inside of it or belong to
// the engine. That is checked here, before anything is sent.

import { parseExpressionAt, type Node } from "acorn";
import { CaptureError } from "../errors.js";
import { ENGINE_GLOBALS, isHostName } from "./globals.js";
import { freeNames } from "./scope.js";

export type AnyFunction = (...args: never[]) => unknown;

/** What runners of TypeScript put into functions to keep their names; it does nothing. */
const NAME_HELPER = "__name";
const NAME_HELPER_TEXT = "const __name = (value) => value;\n";

/** A module text whose default export is the function, and what to call the function in messages. */
export interface Inline {
  /** Stands before `export`; may be empty. */
  readonly prelude: string;
  /** An expression that gives the function. */
  readonly expression: string;
}

/** The text of a function that closes over nothing; throws a CaptureError that names what it closes over. */
export function inline(fn: AnyFunction): Inline {
  const text = Function.prototype.toString.call(fn);
  const title = fn.name ? `the function '${fn.name}'` : "the function";
  if (/\{\s*\[native code\]\s*\}\s*$/.test(text)) {
    throw new CaptureError(`${title} is built in or bound, and has no text that could be sent: wrap it in one that has, as in (x) => Math.sqrt(x)`, []);
  }
  const { node, expression } = parse(fn, text, title);
  if (node.type === "ClassExpression") throw new CaptureError(`${title} is a class: give a function that makes what you need`, []);
  if ((node as Node & { generator?: boolean }).generator) throw new CaptureError(`${title} is a generator: return an array instead`, []);
  const free = [...freeNames(node)].filter((name) => !ENGINE_GLOBALS.has(name));
  const names = free.filter((name) => name !== NAME_HELPER);
  if (names.length > 0) throw new CaptureError(captured(title, names), names);
  return { prelude: free.includes(NAME_HELPER) ? NAME_HELPER_TEXT : "", expression };
}

function parse(fn: AnyFunction, text: string, title: string): { node: Node; expression: string } {
  // A method's text is only valid inside an object.
  const tries = [`(${text})`, `({ ${text} })`];
  for (const [at, expression] of tries.entries()) {
    try {
      const node = parseExpressionAt(expression, 0, { ecmaVersion: "latest", sourceType: "module" });
      if (at === 0) return { node, expression };
      const [property] = (node as unknown as { properties: { value: Node }[] }).properties;
      if (property) return { node: property.value, expression: `${expression}[${JSON.stringify(fn.name)}]` };
    } catch {
      // The next form, or the refusal below.
    }
  }
  throw new CaptureError(`${title} cannot be read as a function: give an arrow function or \`function\``, []);
}

function captured(title: string, names: string[]): string {
  const listed = names.map((name) => `'${name}'`).join(", ");
  if (names.includes("this")) {
    return `${title} uses ${listed}; where it runs there is no object around it: take what you need from its arguments`;
  }
  if (names.every(isHostName)) {
    return `${title} uses ${listed}, which tasks do not have: a task computes from its input alone, without network, timers or files. Fetch what it needs first and send it as items or params`;
  }
  return (
    `${title} uses ${listed} from around it, which does not travel with it: only its own text is sent. ` +
    `Send the value as params, fn = (item, params) => …, map(inputs, fn, { params }); or make it a module's export, ` +
    `export const work = task(import.meta, function work(item) { … }), which is bundled with what it imports`
  );
}
