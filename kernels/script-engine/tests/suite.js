// Six small cases of pure computing. Each returns a checksum, so that engines can be compared for equal
// answers as well as for time; `scale` makes them shorter.
function fib(n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

function loop(n) {
  let x = 1;
  for (let i = 0; i < n; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) | 0;
    x ^= x >>> 7;
  }
  return x;
}

function floats(n) {
  let sum = 0;
  for (let i = 1; i <= n; i++) sum += Math.sqrt(i) / (i + 1.5);
  return Math.floor(sum * 1000);
}

function json(n) {
  const rows = [];
  for (let i = 0; i < 300; i++) {
    const nested = { ok: i % 2 === 0, s: "x".repeat(i % 20) };
    rows.push({ id: i, name: "user" + i, tags: ["a", "b", "c" + i], score: i * 1.5, nested });
  }
  let sum = 0;
  for (let k = 0; k < n; k++) {
    const text = JSON.stringify(rows);
    sum += text.length + JSON.parse(text).length;
  }
  return sum;
}

function sort(n) {
  const list = [];
  let x = 12345;
  for (let i = 0; i < n; i++) {
    x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
    list.push(x);
  }
  list.sort((p, q) => p - q);
  return list[0] ^ list[n >> 1] ^ list[n - 1];
}

function strings(n) {
  const counts = new Map();
  let text = "";
  for (let i = 0; i < n; i++) {
    const key = "k" + (i % 997);
    counts.set(key, (counts.get(key) || 0) + 1);
    if (i % 50 === 0) text += key;
  }
  return counts.size + text.length + text.replace(/k(\d+)/g, "<$1>").length;
}

const CASES = {
  fib: (scale) => fib(scale < 1 ? 22 : 27),
  loop: (scale) => loop(3e6 * scale),
  floats: (scale) => floats(2e6 * scale),
  json: (scale) => json(60 * scale),
  sort: (scale) => sort(60000 * scale),
  strings: (scale) => strings(300000 * scale),
};

/** One case by name. */
export function run(name, scale) {
  return CASES[name](scale ?? 1);
}
