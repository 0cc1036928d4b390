// The packed package in the three places it is for: Node, a bundler, and a plain page in a real Chromium. And its
// types, in a strict program.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { launch } from "../../web-worker/tests/browser.mjs";
import { ROOT, startServer } from "./house.mjs";
import { install } from "./installed.mjs";

const PROGRAM = `import { Elytra, program, range } from "elytra";
export async function primes(server, token) {
  const elytra = await Elytra.connect({ server, token });
  const mersenne = program("rust-core", "mersenne");
  const found = [];
  for await (const { exponent, prime } of elytra.map(range(2, 64), mersenne)) if (prime) found.push(exponent);
  return found.join();
}
`;
/** A000043. */
const PRIMES = "2,3,5,7,13,17,19,31,61";

const TYPES = `import { Elytra, range, task, type Settled, wasm } from "elytra";
export const square = task(import.meta, (x: number) => x * x);
async function types(elytra: Elytra) {
  const numbers: number[] = await elytra.map(range(3), square);
  const texts: string[] = await elytra.map(["a"], async (text) => text.toUpperCase());
  const settled: Settled<number>[] = await elytra.map([1, 2], (x) => x + 1).settled();
  const sums: number[] = await elytra.starmap([[1, 2] as [number, number]], (a, b) => a + b);
  const sum: number = await elytra.mapReduce(["a", "bc"], (text) => text.length, (a, b) => a + b, { empty: 0 });
  for await (const output of elytra.map([new Date().toJSON()], wasm<string, Uint8Array>(new URL("file:///x.wasm"), { args: ["-n"] }))) output.byteLength;
  // @ts-expect-error: the items are numbers
  elytra.map(range(3), (text: string) => text.length);
  // @ts-expect-error: there is no such option
  elytra.map(range(3), square, { grian: 3 });
  return { numbers, texts, settled, sums, sum };
}
export { types };
`;

let user;
let dev;
before(async () => {
  user = install();
  dev = await startServer("dev");
});
after(async () => {
  user?.remove();
  await dev?.stop();
});

test("the package holds what it needs and nothing of the tests", () => {
  const files = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: join(ROOT, "sdk"), encoding: "utf8" });
  const names = JSON.parse(files)[0].files.map(({ path }) => path);
  assert.ok(names.includes("dist/node.js") && names.includes("dist/browser.js") && names.includes("README.md"));
  assert.deepEqual(names.filter((name) => !/^(dist\/|README\.md$|package\.json$)/.test(name)), []);
});

test("installed, it runs in Node", () => {
  writeFileSync(join(user.folder, "primes.js"), PROGRAM);
  writeFileSync(join(user.folder, "main.js"), `import { primes } from "./primes.js";\nconsole.log(await primes());\n`);
  const env = { ...process.env, ELYTRA_SERVER: dev.origin, ELYTRA_TOKEN: dev.token() };
  assert.equal(execFileSync("node", ["main.js"], { cwd: user.folder, env, encoding: "utf8" }).trim(), PRIMES);
});

/** A hundred MiB that nobody should download for this alone: where it is installed, it is tried. */
const noDeno = spawnSync("deno", ["--version"]).error && "deno is not installed here";
test("installed, it runs in Deno", { skip: noDeno }, () => {
  const env = { ...process.env, ELYTRA_SERVER: dev.origin, ELYTRA_TOKEN: dev.token() };
  assert.equal(execFileSync("deno", ["run", "-A", "main.js"], { cwd: user.folder, env, encoding: "utf8" }).trim(), PRIMES);
});

test("its types hold in strict programs, the examples among them", () => {
  writeFileSync(join(user.folder, "types.ts"), TYPES);
  const examples = join(ROOT, "examples", "typescript");
  const names = readdirSync(examples).filter((name) => name.endsWith(".ts"));
  for (const name of names) cpSync(join(examples, name), join(user.folder, name));
  symlinkSync(join(ROOT, "node_modules", "@types"), join(user.folder, "node_modules", "@types"));
  symlinkSync(join(ROOT, "node_modules", "undici-types"), join(user.folder, "node_modules", "undici-types"));
  for (const resolution of ["nodenext", "bundler"]) {
    const module = resolution === "bundler" ? "esnext" : resolution;
    const args = ["--noEmit", "--strict", "--target", "es2023", "--lib", "es2023,esnext.disposable,dom,dom.iterable", "--types", "node", "--module", module, "--moduleResolution", resolution, "types.ts", ...names];
    try {
      execFileSync(join(ROOT, "node_modules", ".bin", "tsc"), args, { cwd: user.folder, encoding: "utf8" });
    } catch (error) {
      assert.fail(`${resolution}: ${error.stdout}`);
    }
  }
});

test("it runs in a plain page and in a bundle, in Chromium; what needs Node says so", async () => {
  writeFileSync(join(user.folder, "primes.js"), PROGRAM);
  const bundled = await build({ entryPoints: [join(user.folder, "primes.js")], bundle: true, format: "esm", platform: "browser", write: false, logLevel: "error", metafile: true });
  assert.ok(Object.keys(bundled.metafile.inputs).every((path) => !/node\.js$|local-|bundle-/.test(path)), "nothing of Node is in the bundle");
  const files = {
    "/try/": `<!doctype html><title>a plain page</title>`,
    "/try/elytra.js": readFileSync(join(user.folder, "node_modules", "elytra", "dist", "browser.js"), "utf8"),
    "/try/plain.js": PROGRAM.replace(`"elytra"`, `"./elytra.js"`),
    "/try/bundled.js": bundled.outputFiles[0].text,
  };
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.route(`${dev.origin}/try/**`, (route) => {
      const path = new URL(route.request().url()).pathname;
      return files[path] === undefined ? route.fulfill({ status: 404 }) : route.fulfill({ body: files[path], contentType: path.endsWith(".js") ? "text/javascript" : "text/html" });
    });
    await page.goto(`${dev.origin}/try/`);
    for (const file of ["plain.js", "bundled.js"]) {
      const found = await page.evaluate(async ([file, token]) => (await import(`/try/${file}`)).primes(undefined, token), [file, dev.token()]);
      assert.equal(found, PRIMES, file);
    }
    const told = await page.evaluate(async (token) => {
      const { Elytra, task } = await import("/try/elytra.js");
      const elytra = await Elytra.connect({ token });
      const say = (error) => error.message;
      return [await elytra.map([1], task("https://example.org/x.js", (x) => x)).array().catch(say), await Elytra.local().catch(say)];
    }, dev.token());
    assert.match(told[0], /which a browser cannot: give a plain function/);
    assert.match(told[1], /run `elytra dev` and use Elytra\.connect\(\)/);
  } finally {
    await browser.close();
  }
});

test("it runs in a page of another origin where the server lists it, and says what to do where it does not", async () => {
  const files = {
    "/": ["text/html", "<!doctype html><title>somebody's own page</title>"],
    "/elytra.js": ["text/javascript", readFileSync(join(user.folder, "node_modules", "elytra", "dist", "browser.js"), "utf8")],
    "/primes.js": ["text/javascript", PROGRAM.replace(`"elytra"`, `"./elytra.js"`)],
  };
  const pages = createServer(({ url }, answer) => {
    const [type, body] = files[url] ?? ["text/plain", ""];
    answer.writeHead(body ? 200 : 404, { "content-type": type }).end(body);
  });
  await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${pages.address().port}`;
  const allowing = await startServer("dev", { settings: { ELYTRA_CORS_ORIGINS: origin } });
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(origin);
    const primes = ({ origin, token }) =>
      page.evaluate(async ([server, token]) => (await import("/primes.js")).primes(server, token).catch((error) => error.message), [origin, token()]);
    assert.equal(await primes(allowing), PRIMES);
    assert.match(await primes(dev), /must allow this page's origin: ELYTRA_CORS_ORIGINS=http:\/\/127\.0\.0\.1:\d+/);
  } finally {
    await Promise.all([browser.close(), allowing.stop()]);
    pages.close();
  }
});

test("without esbuild a task says what to install", async () => {
  const bare = mkdtempSync(join(tmpdir(), "elytra-bare-"));
  try {
    cpSync(join(user.folder, "node_modules", "elytra"), join(bare, "node_modules", "elytra"), { recursive: true });
    writeFileSync(join(bare, "package.json"), `{ "type": "module" }`);
    writeFileSync(join(bare, "main.js"), `import { Elytra, task } from "elytra";
export const square = task(import.meta, (x) => x * x);
const elytra = await Elytra.connect();
await elytra.map([1], square).array().catch((error) => console.log(error.message));
`);
    const env = { ...process.env, ELYTRA_SERVER: dev.origin, ELYTRA_TOKEN: dev.token() };
    assert.match(execFileSync("node", ["main.js"], { cwd: bare, env, encoding: "utf8" }), /npm install esbuild/);
  } finally {
    rmSync(bare, { recursive: true, force: true });
  }
});
