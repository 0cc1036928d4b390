// Runs every entry of the modules in a folder in a real Chromium, in a worker as a tab's slots are, and prints what can
// be seen of it as `node.mjs` does.
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { launch } from "../../../web-worker/tests/browser.mjs";

/** Runs in the worker: what the entries of a module show, a line each. */
async function inWorker({ data: files }) {
  const digest = async (bytes) => {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  const ended = (entry) => {
    try {
      entry();
      return "finished";
    } catch (error) {
      return error instanceof WebAssembly.RuntimeError ? "trapped" : String(error);
    }
  };
  const run = async (module, name) => {
    try {
      const { exports } = await WebAssembly.instantiate(module);
      const how = ended(exports[name]);
      return `${how} ${await digest(exports.memory.buffer)}`;
    } catch {
      return `trapped ${await digest(new Uint8Array())}`;
    }
  };
  const lines = [];
  for (const file of files) {
    const module = await WebAssembly.compileStreaming(fetch(`/${file}`));
    const entries = WebAssembly.Module.exports(module).filter(({ kind }) => kind === "function");
    for (const { name } of entries) lines.push(`${file} ${name} ${await run(module, name)}`);
  }
  postMessage(lines);
}

/** Runs in the page. */
function inPage(files) {
  return new Promise((resolve, reject) => {
    const worker = new Worker("/worker.js");
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(files);
  });
}

const [folder] = process.argv.slice(2);
const files = readdirSync(folder).filter((name) => name.endsWith(".wasm")).sort();
const server = createServer(async ({ url }, answer) => {
  if (url === "/") return answer.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>");
  if (url === "/worker.js") return answer.writeHead(200, { "content-type": "text/javascript" }).end(`onmessage = ${inWorker};`);
  if (!files.includes(url.slice(1))) return answer.writeHead(404).end();
  answer.writeHead(200, { "content-type": "application/wasm" }).end(await readFile(join(folder, url)));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  for (const line of await page.evaluate(inPage, files)) console.log(line);
} finally {
  await browser.close();
  server.close();
}
