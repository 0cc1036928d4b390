// WASI programs over many lines, by the command line, on a tab and a native worker together: byte for byte what
// another implementation of WASI writes.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "@playwright/test";
import { exampleUrl, underNode, underNodeEach } from "../../web-worker/tests/wasi.mjs";
import { openHouse } from "./house";
import { lendTab } from "./lend";
import { elytra } from "./server";

const house = openHouse(1);

/** Runs a program of the examples as a person does: lines in, lines out. */
async function run(name: string, args: string[], stdin: string, options: string[] = []): Promise<Buffer> {
  const env = { ...process.env, ELYTRA_SERVER: house.server.origin, ELYTRA_TOKEN: house.api.token };
  const words = ["run", fileURLToPath(exampleUrl(name)), ...options, "--", ...args];
  const child = spawn(elytra(), words, { env, stdio: ["pipe", "pipe", "pipe"] });
  const [out, said]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (part: Buffer) => out.push(part));
  child.stderr.on("data", (part: Buffer) => said.push(part));
  child.stdin.end(stdin);
  const [code] = (await once(child, "close")) as [number];
  expect(code, Buffer.concat(said).toString()).toBe(0);
  return Buffer.concat(out);
}

const lines = (count: number, line: (n: number) => string) => Array.from({ length: count }, (_, n) => `${line(n)}\n`).join("");

const JOBS: [string, string[], string][] = [
  ["words", ["-l"], lines(100_000, (n) => `${"word ".repeat(n % 7)}${n}`)],
  ["factors", [], lines(20_000, (n) => `${1_000_000_007 + n}`)],
];

for (const [name, args, stdin] of JOBS) {
  test(`${name}: a tab and a native worker write what another WASI writes`, async ({ browser }) => {
    const page = await lendTab(browser, house.server.origin);
    const before = await house.api.tabsAccepted();
    const written = await run(name, args, stdin);
    expect(written.equals(underNode(name, args, stdin))).toBe(true);
    expect(await house.api.tabsAccepted(), "the tab took part").toBeGreaterThan(before);
    await page.context().close();
  });
}

/** Pieces of Markdown that mean something to each other. */
const PIECES = ["# Title N", "* one *N*\n* two\n  * three", "> quoted \"N\" -- so\n> it is", "    code N", "<b>N</b> &copy; [N]: /n", "1. first\n2. second", "![N](n.png)\n\n---", "Überschrift N\n===="];

test("cmark, a C program from elsewhere: every document is what another WASI makes of it", async ({ browser }) => {
  const page = await lendTab(browser, house.server.origin);
  const documents = Array.from({ length: 600 }, (_, n) =>
    Array.from({ length: 1 + (n % 5) }, (_, k) => PIECES[(n * 7 + k * (1 + (n % 3))) % PIECES.length]?.replaceAll("N", `${n}`)).join("\n\n"),
  );
  const stdin = documents.map((text) => `${JSON.stringify(text)}\n`).join("");
  const written = await run("cmark", ["--smart"], stdin, ["--each", "--json"]);
  expect(written.equals(underNodeEach("cmark", ["--smart"], documents.map((text) => `${text}\n`)))).toBe(true);
  await page.context().close();
});
