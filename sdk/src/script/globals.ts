// What a task finds beside its own code: the language and `console`. Everything else belongs to some host, and
// a task computes from its input alone so that every worker gives the same answer.

/** The names the script engine knows. */
export const ENGINE_GLOBALS: ReadonlySet<string> = new Set(
  (
    "undefined NaN Infinity globalThis console queueMicrotask " +
    "Object Function Array String Number Boolean Symbol BigInt Math JSON Date RegExp Map Set WeakMap WeakSet WeakRef " +
    "FinalizationRegistry Promise Proxy Reflect Iterator Error EvalError RangeError ReferenceError SyntaxError TypeError " +
    "URIError AggregateError ArrayBuffer SharedArrayBuffer DataView Atomics Int8Array Uint8Array Uint8ClampedArray " +
    "Int16Array Uint16Array Int32Array Uint32Array Float16Array Float32Array Float64Array BigInt64Array BigUint64Array " +
    "parseInt parseFloat isNaN isFinite encodeURI encodeURIComponent decodeURI decodeURIComponent escape unescape"
  ).split(" "),
);

const HOST_NAMES: ReadonlySet<string> = new Set(
  (
    "fetch process require module exports Buffer window document navigator location localStorage sessionStorage self global " +
    "setTimeout setInterval setImmediate clearTimeout clearInterval XMLHttpRequest WebSocket Worker crypto performance " +
    "TextEncoder TextDecoder URL URLSearchParams AbortController AbortSignal structuredClone atob btoa Deno Bun " +
    "WebAssembly Intl __dirname __filename eval"
  ).split(" "),
);

/** Whether a name belongs to Node, Deno or a browser rather than to the author. */
export function isHostName(name: string): boolean {
  return HOST_NAMES.has(name);
}
