// What `import … from "elytra"` means inside a task: `task` gives back its function, ranges are numbers to go
// through, and whatever would reach for a server says that there is none.

/** A module's text. It must have every export of ours: a bundle with an unknown import is refused. */
export const STUB = `
export const task = (module, fn) => fn;
export function* range(a, b, step = 1) {
  const [start, end] = b === undefined ? [0, a] : [a, b];
  for (let at = start; step > 0 ? at < end : at > end; at += step) yield at;
}
const away = /* @__NO_SIDE_EFFECTS__ */ (name) => () => { throw new Error(name + " is not there inside a task: a task computes from its item alone"); };
export const wasm = /* @__PURE__ */ away("wasm()"), program = /* @__PURE__ */ away("program()");
class Away { constructor() { away("Elytra")(); } static connect() { away("Elytra")(); } static local() { away("Elytra")(); } }
export { Away as Elytra, Away as Job, Away as Program, Away as Range, Away as Lines };
export class ElytraError extends Error {}
export class TaskError extends ElytraError {}
export class JobError extends ElytraError {}
export class CaptureError extends ElytraError {}
`;
