// Cuts a module down to what one of its exports needs. A first program has its task and its `await elytra.map(…)`
// in one file; only the task may travel. What is cut becomes blanks, so that positions stay true.

import { type Node, parse } from "acorn";
import { ElytraError } from "../errors.js";
import type { TaskPlace } from "../program.js";
import { ENGINE_GLOBALS } from "./globals.js";
import { declaredNames, freeNames } from "./scope.js";

interface Statement extends Node {
  readonly names: ReadonlySet<string>;
  readonly uses: ReadonlySet<string>;
}

interface Declaration {
  type: string;
  kind?: string;
  declaration?: Declaration | null;
  declarations?: { id: { type: string; name: string }; init: { type: string; callee?: { type: string; name?: string; property?: { name?: string } } } | null }[];
  specifiers?: { local: { name: string }; exported: { name: string } }[];
  expression?: Declaration & { callee?: Callee; argument?: Declaration["expression"] };
  source?: unknown;
}

interface Callee {
  type: string;
  name?: string;
  object?: Callee;
}

/** JavaScript of the module with only what the task needs, exporting it as `$task`. */
export function prune(code: string, place: TaskPlace): string {
  const program = parse(code, { ecmaVersion: "latest", sourceType: "module" });
  const statements = program.body.map((node) => Object.assign(node, { names: declaredNames(node), uses: freeNames(node) }) as unknown as Statement);
  const local = localName(statements, place);
  const kept = needed(statements, local);
  let text = "";
  let at = 0;
  for (const statement of statements) {
    text += code.slice(at, statement.start);
    const own = code.slice(statement.start, statement.end);
    text += kept.has(statement) ? own : blank(own);
    at = statement.end;
  }
  return `${text}${code.slice(at)}\nexport { ${local} as $task };\n`;
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

/** The task's name in its module. */
function localName(statements: readonly Statement[], place: TaskPlace): string {
  const nodes = statements as unknown as Declaration[];
  const exported = new Map<string, string>();
  const tasks: string[] = [];
  for (const node of nodes) {
    const own = node.type === "ExportNamedDeclaration" ? node.declaration : node;
    if (own?.type === "VariableDeclaration") {
      for (const { id, init } of own.declarations ?? []) {
        if (isTaskCall(init)) tasks.push(id.name);
        if (own !== node) exported.set(id.name, id.name);
      }
    }
    for (const { local, exported: as } of node.source ? [] : (node.specifiers ?? [])) if (as) exported.set(as.name, local.name);
  }
  const named = place.name && (exported.get(place.name) ?? (tasks.includes(place.name) ? place.name : undefined));
  const found = named || tasks[place.ordinal];
  if (found && [...exported.values()].includes(found)) return found;
  const title = place.name ? `the task '${place.name}'` : found ? `the task '${found}'` : `task number ${place.ordinal + 1}`;
  throw new ElytraError("task", `${title} is not an export of ${place.url}: write \`export const ${place.name || found || "work"} = task(import.meta, …)\` at the top level of the module`);
}

type Init = NonNullable<Declaration["declarations"]>[number]["init"];

function isTaskCall(init: Init): boolean {
  if (init?.type !== "CallExpression") return false;
  const { callee } = init;
  return (callee?.name ?? callee?.property?.name) === "task";
}

/** The statements that declare what is used, again and again, and those that fill it. */
function needed(statements: readonly Statement[], local: string): Set<Statement> {
  const kept = new Set<Statement>();
  const module = new Set(statements.flatMap((statement) => [...statement.names]));
  const wanted = [local];
  const names = new Set<string>();
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (names.has(name)) continue;
    names.add(name);
    for (const statement of statements) {
      if (!statement.names.has(name) || kept.has(statement)) continue;
      kept.add(statement);
      wanted.push(...[...statement.uses].filter((used) => module.has(used)), ...statement.names);
    }
  }
  for (const statement of statements) if (fills(statement, names)) kept.add(statement);
  return kept;
}

/** A statement without names of its own that works on what is kept, such as a loop that fills a table. */
function fills(statement: Statement, names: ReadonlySet<string>): boolean {
  const node = statement as unknown as Declaration;
  if (statement.names.size > 0 || /^(Import|Export)/.test(node.type) || talks(node)) return false;
  const uses = [...statement.uses];
  return uses.some((name) => names.has(name)) && uses.every((name) => names.has(name) || ENGINE_GLOBALS.has(name));
}

/** `console.log(…)` and the like at the top level: for the author's terminal, not for workers. */
function talks({ type, expression }: Declaration): boolean {
  if (type !== "ExpressionStatement") return false;
  const call = expression?.type === "AwaitExpression" ? expression.argument : expression;
  let root: Callee | undefined = call?.callee;
  while (root?.object) root = root.object;
  return root?.name === "console";
}
