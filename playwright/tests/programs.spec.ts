// Somebody's own program, from the browser: a module is brought and refused or admitted, a script is written, run
// by the native worker of `elytra dev`, and mended where it fails.

import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { startServer, type Server } from "./server";
import { Api } from "./api";

/** The narrowest screen that must work. */
const NARROW = { width: 320, height: 640 };
/** A kernel by hand: one page of memory and the entry `idle`, which does nothing. */
const IDLE = Buffer.from("0061736d010000000104016000000302010005040101010107110206" + "6d656d6f72790200" + "0469646c6500000a040102000b", "hex");
/** The same, but it wants the function `x` of the module `env`. */
const WANTING = Buffer.from("0061736d0100000001040160000002090103656e760178000003020100050401010101071102" + "066d656d6f72790200" + "0469646c6500010a040102000b", "hex");
const THROWING = "export function check(n: number) {\n  if (n > 3) throw new Error(`too big: ${n}`);\n  return n;\n}\n";
const ADDING = "export const times = (n: number, { by }: { by: number }) => n * by;\nexport const add = (a: number, b: number) => a + b;\n";

let server: Server;
let api: Api;

test.beforeAll(async () => {
  process.env.ELYTRA_SLOTS = "1";
  server = await startServer("dev");
  api = await Api.connect(server);
});

test.afterAll(async () => {
  await server?.stop();
});

async function open(page: Page, path: string): Promise<void> {
  await page.goto(`${server.origin}${path}#token=${api.token}`);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
}

/** Axe finds nothing, and nothing sticks out on a narrow screen. */
async function passes(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
  await page.setViewportSize(NARROW);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow).toBeLessThanOrEqual(0);
}

const wasm = (name: string, buffer: Buffer) => ({ name, mimeType: "application/wasm", buffer });

test("a module is refused with the reason, mended, admitted, and can be run from there", async ({ page }) => {
  await open(page, "/");
  await page.getByRole("link", { name: "Programs" }).click();
  const file = page.getByLabel(/Drop a file here/);
  await file.setInputFiles(wasm("wanting.wasm", WANTING));
  const refusal = page.getByRole("alert");
  await expect(refusal).toContainText("wanting.wasm was not admitted");
  await expect(refusal).toContainText("env");
  await file.setInputFiles(wasm("cut.wasm", IDLE.subarray(1)));
  await expect(refusal).toContainText("cut.wasm is no WebAssembly module");
  await file.setInputFiles(wasm("idle.wasm", IDLE));
  const report = page.locator(".notice", { hasText: "Admitted" });
  await expect(report).toContainText("Kernel");
  await expect(report).toContainText("64 KiB");
  await passes(page);
  await report.getByRole("link", { name: "Run it: idle" }).click();
  await expect(page.getByLabel("Compute").locator("option:checked")).toHaveText("idle");
  await expect(page.getByLabel(/Command line/)).toContainText("elytra run --program");
});

test("a script is run from the keyboard: numbers and how they are spread", async ({ page }) => {
  await open(page, "/submit/script");
  const source = page.getByRole("textbox", { name: "Script" });
  await source.fill("export function half(n: number) {\n  return n / 2;\n}\n");
  await expect(page.getByLabel("Called for every item")).toHaveValue("half");
  await source.press("Control+Enter");
  await expect(page.locator(".run .badge")).toHaveText("Succeeded");
  await expect(page.getByRole("row", { name: "99 49.5", exact: true })).toBeVisible();
  await expect(page.getByRole("img", { name: "How the outputs are spread" })).toBeVisible();
  await passes(page);
  // Tab indents until Escape, then it leaves.
  await source.press("ControlOrMeta+End");
  await source.press("Tab");
  await expect(source).toHaveValue(/\n {2}$/);
  await source.press("Escape");
  await source.press("Tab");
  await expect(source).not.toBeFocused();
});

test("parameters and a reduction, from the script page and from the form of its program", async ({ page }) => {
  await open(page, "/submit/script");
  await page.getByRole("textbox", { name: "Script" }).fill(ADDING);
  await page.getByLabel("Called for every item").selectOption("times");
  await page.getByLabel("Reduces two answers").selectOption("add");
  await page.getByLabel("As JSON").fill("{by: 3}");
  await expect(page.locator("#undescribed-problem")).toContainText("must be a JSON object");
  await page.getByLabel("As JSON").fill('{"by": 3}');
  await page.getByLabel("End (not reached)").fill("5");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect(page.locator(".run .badge")).toHaveText("Succeeded");
  await expect(page.getByRole("row", { name: "0 30", exact: true })).toBeVisible();
  await open(page, "/programs");
  await page.getByRole("link", { name: "Run it: times" }).first().click();
  await page.getByLabel("As JSON").fill('{"by": 2}');
  await page.getByLabel("A range of numbers").check();
  await page.getByLabel("End (not reached)").fill("5");
  await page.getByLabel("Reduce outputs with").selectOption("add");
  await page.getByLabel("Outputs at a time").fill("8");
  await page.getByRole("button", { name: "Submit" }).click();
  await expect(page.locator("#form-problem")).toHaveText("Outputs at a time must be a whole number from 16 to 4096.");
  await page.getByLabel("Outputs at a time").fill("16");
  await page.getByText("More: trust").click();
  await page.getByLabel("Trust").selectOption("verified");
  await expect(page.getByLabel(/Command line/)).toContainText("times --param by=2 --reduce add --fan-in 16 --trust verified --range=0:5");
  await passes(page);
  await page.getByRole("button", { name: "Submit" }).click();
  await expect(page).toHaveURL(/\/jobs\/j-/);
  await expect(page.locator(".title .badge")).toHaveText("Succeeded");
  await expect(page.getByRole("row", { name: "0 20", exact: true })).toBeVisible();
  await expect(page.getByRole("region", { name: "Trust" })).toContainText("1.00 a shard accepted");
});

test("a script that throws shows its line and the input that did it", async ({ page }) => {
  await open(page, "/submit/script");
  const source = page.getByRole("textbox", { name: "Script" });
  await source.fill(THROWING);
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const error = page.locator(".errors li").first();
  await expect(error).toContainText(/script\.ts:2:\d+/);
  await error.getByText("Input of shard").first().click();
  await expect(error.getByLabel("Items of the shard").getByRole("row").nth(1)).toBeVisible();
  await error.getByRole("button", { name: "Go to line 2" }).click();
  await expect(source).toBeFocused();
  await passes(page);
  await source.fill("export function f(n) {\n  return n +* 2;\n}\n");
  await source.press("Control+Enter");
  await expect(page.getByRole("alert")).toContainText("script.ts:2:13: Unexpected token");
});
