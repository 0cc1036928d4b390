// Which names a piece of JavaScript uses without declaring them. What is not seen here would fail on a worker
// far away, so everything that can bind a name is known: parameters, patterns, hoisting, classes, catch, loops.

import type { AnyNode, Node, Pattern } from "acorn";

type Names = Set<string>;

interface Scope {
  readonly names: Names;
  readonly parent: Scope | undefined;
}

/** Nodes by field, as ESTree has them; acorn's types are a closed union that hides this. */
type Fields = Record<string, unknown> & { type: string };

/** Names that a node uses and does not declare; `this` counts where no function binds it. */
export function freeNames(node: Node): Names {
  const free: Names = new Set();
  visit(node as unknown as Fields, undefined, free, false);
  return free;
}

/** Names that a statement declares where it stands. */
export function declaredNames(statement: Node): Names {
  const names: Names = new Set();
  declare(statement as unknown as Fields, names);
  hoistVars(statement as unknown as Fields, names);
  return names;
}

function isDeclared(name: string, scope: Scope | undefined): boolean {
  for (let at = scope; at; at = at.parent) if (at.names.has(name)) return true;
  return false;
}

function isNode(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && typeof (value as Fields).type === "string";
}

function children(node: Fields): Fields[] {
  return Object.values(node).flatMap((value) => (Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []));
}

function visitAll(nodes: Fields[], scope: Scope | undefined, free: Names, bound: boolean): void {
  for (const node of nodes) visit(node, scope, free, bound);
}

/** `bound`: whether a function around binds `this` and `arguments`. */
function visit(node: Fields, scope: Scope | undefined, free: Names, bound: boolean): void {
  switch (node.type) {
    case "Identifier":
      return use(node.name as string, scope, free, bound);
    case "ThisExpression":
      return bound ? undefined : void free.add("this");
    case "FunctionDeclaration":
    case "FunctionExpression":
      return visitFunction(node, scope, free, true);
    case "ArrowFunctionExpression":
      return visitFunction(node, scope, free, bound);
    case "ClassDeclaration":
    case "ClassExpression":
      return visitClass(node, scope, free, bound);
    case "Program":
    case "BlockStatement":
    case "StaticBlock":
      return visitBlock(node.body as Fields[], scope, free, node.type === "StaticBlock" || bound);
    case "SwitchStatement":
      visit(node.discriminant as Fields, scope, free, bound);
      return visitCases(node.cases as Fields[], scope, free, bound);
    case "ForStatement":
    case "ForInStatement":
    case "ForOfStatement":
      return visitLoop(node, scope, free, bound);
    case "CatchClause": {
      const names: Names = new Set();
      if (isNode(node.param)) patternNames(node.param, names);
      return visitAll(children(node), { names, parent: scope }, free, bound);
    }
    case "MemberExpression":
      visit(node.object as Fields, scope, free, bound);
      return node.computed ? visit(node.property as Fields, scope, free, bound) : undefined;
    case "Property":
    case "MethodDefinition":
    case "PropertyDefinition":
      if (node.computed) visit(node.key as Fields, scope, free, bound);
      // A field's value runs as a method of its class.
      return isNode(node.value) ? visit(node.value, scope, free, bound || node.type === "PropertyDefinition") : undefined;
    case "LabeledStatement":
      return visit(node.body as Fields, scope, free, bound);
    case "ExportNamedDeclaration":
      if (isNode(node.declaration)) return visit(node.declaration, scope, free, bound);
      return node.source ? undefined : visitAll((node.specifiers as Fields[]).map((one) => one.local as Fields), scope, free, bound);
    case "BreakStatement":
    case "ContinueStatement":
    case "MetaProperty":
    case "ImportDeclaration":
    case "ExportAllDeclaration":
      return;
    default:
      return visitAll(children(node), scope, free, bound);
  }
}

function use(name: string, scope: Scope | undefined, free: Names, bound: boolean): void {
  if ((name === "arguments" && bound) || isDeclared(name, scope)) return;
  free.add(name);
}

function visitFunction(node: Fields, outer: Scope | undefined, free: Names, bound: boolean): void {
  const names: Names = new Set();
  // A function expression's own name is known inside of it.
  if (node.type === "FunctionExpression" && isNode(node.id)) names.add(node.id.name as string);
  for (const param of node.params as Fields[]) patternNames(param, names);
  const body = node.body as Fields;
  hoistVars(body, names);
  const scope: Scope = { names, parent: outer };
  visitAll(node.params as Fields[], scope, free, bound);
  visit(body, scope, free, bound);
}

function visitClass(node: Fields, outer: Scope | undefined, free: Names, bound: boolean): void {
  const names: Names = isNode(node.id) ? new Set([node.id.name as string]) : new Set();
  const scope: Scope = { names, parent: outer };
  if (isNode(node.superClass)) visit(node.superClass, scope, free, bound);
  visit(node.body as Fields, scope, free, bound);
}

function visitBlock(body: Fields[], parent: Scope | undefined, free: Names, bound: boolean): void {
  const names: Names = new Set();
  for (const statement of body) {
    declare(statement, names);
    // `var` of a whole module or of a static block; those of functions are known already.
    hoistVars(statement, names);
  }
  visitAll(body, { names, parent }, free, bound);
}

function visitCases(cases: Fields[], parent: Scope | undefined, free: Names, bound: boolean): void {
  const names: Names = new Set();
  for (const one of cases) for (const statement of one.consequent as Fields[]) declare(statement, names);
  visitAll(cases, { names, parent }, free, bound);
}

function visitLoop(node: Fields, parent: Scope | undefined, free: Names, bound: boolean): void {
  const names: Names = new Set();
  const head = (node.type === "ForStatement" ? node.init : node.left) as Fields | null;
  if (head) declare(head, names);
  visitAll(children(node), { names, parent }, free, bound);
}

/** What a statement declares in its block. */
function declare(node: Fields, names: Names): void {
  switch (node.type) {
    case "VariableDeclaration":
      for (const one of node.declarations as Fields[]) patternNames(one.id as Fields, names);
      return;
    case "FunctionDeclaration":
    case "ClassDeclaration":
      if (isNode(node.id)) names.add(node.id.name as string);
      return;
    case "ImportDeclaration":
      for (const one of node.specifiers as Fields[]) names.add((one.local as Fields).name as string);
      return;
    case "ExportNamedDeclaration":
    case "ExportDefaultDeclaration":
      if (isNode(node.declaration)) declare(node.declaration, names);
      return;
    default:
      return;
  }
}

/** `var` belongs to the function, however deep the block it stands in. */
function hoistVars(node: Fields, names: Names): void {
  if (/Function/.test(node.type) || /^Class/.test(node.type)) return;
  if (node.type === "VariableDeclaration" && node.kind === "var") declare(node, names);
  for (const child of children(node)) hoistVars(child, names);
}

/** The names that a pattern binds. */
function patternNames(pattern: Fields, names: Names): void {
  switch (pattern.type as (Pattern | AnyNode)["type"]) {
    case "Identifier":
      names.add(pattern.name as string);
      return;
    case "ObjectPattern":
      for (const one of pattern.properties as Fields[]) patternNames((one.type === "RestElement" ? one.argument : one.value) as Fields, names);
      return;
    case "ArrayPattern":
      for (const one of pattern.elements as (Fields | null)[]) if (one) patternNames(one, names);
      return;
    case "AssignmentPattern":
      patternNames(pattern.left as Fields, names);
      return;
    case "RestElement":
      patternNames(pattern.argument as Fields, names);
      return;
    default:
      return;
  }
}
