// The dashboard in front of a real coordinator with one native worker: submit and watch, lend the tab, steer a job,
// be told what is wrong; and on every page, light and dark, wide and narrow, axe finds nothing.

import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { startServer, type Server } from "./server";
import { Api } from "./api";

/** Work for several seconds, so that there is something to pause, to watch and to share. */
const LONG = { program: "rust-core", entry: "mersenne", grain: { items: 1 }, input: { range: { start: 44_497, end: 48_497, step: 2 } } };
/** How long axe may take for all pages on a busy machine. */
const AXE_MS_MAX = 180_000;
const WIDE = { width: 1280, height: 900 };
/** The narrowest screen that must work. */
const NARROW = { width: 320, height: 640 };

let server: Server;
let api: Api;
let pictured: string;
let failed: string;
let reduced: string;

test.beforeAll(async () => {
  process.env.ELYTRA_SLOTS = "1";
  server = await startServer("dev");
  api = await Api.connect(server);
  const params = { width: 96, height: 64, tile: 32, iterations_max: 200 };
  pictured = (await api.submit({ program: "rust-core", entry: "mandelbrot", params, input: { range: { end: 6 } } })).id;
  // The picture has six tiles: a seventh cannot be computed.
  failed = (await api.submit({ program: "rust-core", entry: "mandelbrot", params, input: { range: { start: 6, end: 7 } } })).id;
  reduced = await summed();
  await api.over(pictured);
  await api.over(failed);
});

/** A job that reduces its outputs. */
async function summed(): Promise<string> {
  const program = await api.push("sum.ts", Buffer.from("export const one = (n: number) => n;\nexport const add = (a: number, b: number) => a + b;\n"));
  const { id } = await api.submit({ program, entry: "one", reduce: { entry: "add" }, input: { range: { end: 100 } } });
  await api.over(id);
  return id;
}

test.afterAll(async () => {
  await server?.stop();
});

/** Opens a page as somebody who was given the token. */
async function open(page: Page, path: string): Promise<void> {
  await page.goto(`${server.origin}${path}#token=${api.token}`);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
}

/** How many different colours the page's canvas shows. */
const colours = (page: Page) =>
  page.locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  });

const pages = (): [string, RegExp][] => [
  ["/", /Throughput/],
  ["/contribute", /How much/],
  ["/jobs", /mandelbrot/],
  [`/jobs/${pictured}`, /6 of 6 tiles/],
  [`/jobs/${failed}`, /Failed attempts by cause/],
  ["/workers", /Reliability/],
  ["/submit", /Parameters/],
  ["/submit/script", /Reduces two answers/],
  ["/programs", /All programs/],
  [`/jobs/${reduced}`, /Reduction/],
  ["/settings", /You may/],
];

/** Each scheme and each width once: axe takes its time. */
const LOOKS = [
  { colorScheme: "light", viewport: WIDE },
  { colorScheme: "dark", viewport: NARROW },
] as const;

for (const { colorScheme, viewport } of LOOKS) {
  test(`every page is accessible and fits: ${colorScheme}, ${viewport.width} pixels`, async ({ browser }) => {
    test.setTimeout(AXE_MS_MAX);
    const context = await browser.newContext({ colorScheme, viewport });
    const page = await context.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    for (const [path, sign] of pages()) {
      await open(page, path);
      await expect(page.getByText(sign).first()).toBeVisible();
      const { violations } = await new AxeBuilder({ page }).analyze();
      const found = violations.map((v) => `${path} ${v.id}: ${v.nodes.map((node) => node.html).join(" | ")}`);
      expect(found).toEqual([]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow, `${path} is too wide`).toBeLessThanOrEqual(0);
      // The token is a secret: it does not stay in the address.
      expect(page.url()).not.toContain("token");
    }
    expect(errors).toEqual([]);
    await context.close();
  });
}

test("a job is submitted from the form, and its picture grows to its end", async ({ page }) => {
  await open(page, "/submit?entry=mandelbrot");
  await page.getByRole("button", { name: "Seahorse valley" }).click();
  await page.getByLabel("Width").fill("256");
  await page.getByLabel("Height").fill("128");
  await expect(page.getByLabel(/Command line/)).toHaveText(
    "elytra run mandelbrot --param center_x=-0.7453 --param center_y=0.1127 --param height=128 --param span=0.0065 --param width=256 --range=0:8",
  );
  await page.getByRole("button", { name: "Submit" }).click();
  await expect(page).toHaveURL(/\/jobs\/j-/);
  await expect(page.getByText("8 of 8 tiles")).toBeVisible();
  await expect(page.locator(".title .badge")).toHaveText("Succeeded");
  expect(await colours(page)).toBeGreaterThan(20);
});

test("an answer that the end of the job overtook does not bring it back", async ({ page }) => {
  const { id } = await api.submit(LONG);
  const state = page.locator(".title .badge");
  let late = false;
  await page.route(`**/api/v1/jobs/${id}`, async (route) => {
    const answer = await route.fetch();
    await api.cancel(id);
    // The page reads the job in its list and hears of its end; what is answered after that is stale.
    await expect(state).toHaveText("Canceled");
    late = true;
    await route.fulfill({ response: answer });
  });
  await open(page, `/jobs/${id}`);
  await expect.poll(() => late).toBe(true);
  // Another answer is read and drawn behind the late one.
  await page.evaluate(() => fetch("/livez").then((answer) => answer.text()));
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await expect(state).toHaveText("Canceled");
});

test("what does not fit is told at its field, and nothing is sent", async ({ page }) => {
  await open(page, "/submit?entry=mandelbrot");
  await page.getByLabel("Tile").fill("5000");
  await expect(page.locator("#param-tile-problem")).toHaveText("must be a whole number from 1 to 1024, not 5000");
  await page.getByRole("button", { name: "Submit" }).click();
  await expect(page.locator("#form-problem")).toContainText("Tile must be");
  await expect(page).toHaveURL(/\/submit/);
  await page.getByLabel("Tile").fill("");
  await page.getByLabel("End (not reached)").fill("0");
  await expect(page.locator("#items-problem")).toContainText("holds no number");
});

test("nothing runs before Start; a lent tab goes on while one walks; Stop means stopped", async ({ page }) => {
  await open(page, "/contribute");
  await expect(page.getByRole("button", { name: "Start" })).toBeEnabled();
  expect([page.workers().length, await page.locator("iframe").count()]).toEqual([0, 0]);
  const job = await api.submit(LONG);
  await page.getByRole("button", { name: "Start" }).click();
  const headline = page.getByRole("region", { name: /Working|Ready|Connecting|Paused|Not contributing/ });
  await expect(headline.getByRole("heading")).toHaveText("Working");
  await expect(page.getByRole("link", { name: "mersenne" })).toBeVisible();
  await page.getByRole("link", { name: "Workers" }).click();
  await expect(page.getByText("2 workers connected")).toBeVisible();
  await page.goBack();
  await expect(headline.getByRole("heading")).toHaveText("Working");
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText("You paused it")).toBeVisible();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(headline.getByRole("heading")).toHaveText("Not contributing");
  await expect.poll(() => page.workers().length).toBe(0);
  await api.cancel(job.id);
});

test("a lent tab rests outside its hours and goes on within them, also after a reload", async ({ page }) => {
  await page.clock.install({ time: new Date(2026, 10, 21, 12, 0) });
  await open(page, "/contribute");
  await page.getByLabel("Outside these hours").check();
  await page.getByLabel("From").fill("20:00");
  await page.getByLabel("Until").fill("07:00");
  await page.reload();
  await expect(page.getByLabel("From")).toHaveValue("20:00");
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByText("It is outside your hours")).toBeVisible();
  // Only the person's own pause is ended by a button.
  await expect(page.getByRole("button", { name: "Resume" })).toHaveCount(0);
  await page.getByLabel("Until").fill("13:00");
  await page.getByLabel("From").fill("11:00");
  await expect(page.getByRole("heading", { name: /Working|Ready/ })).toBeVisible();
  await page.clock.setFixedTime(new Date(2026, 10, 21, 13, 0));
  await expect(page.getByText("It is outside your hours")).toBeVisible();
  await page.getByLabel("Outside these hours").uncheck();
  await expect(page.getByRole("heading", { name: /Working|Ready/ })).toBeVisible();
  await page.getByRole("button", { name: "Stop" }).click();
});

test("a job is paused, resumed and, once asked, cancelled", async ({ page }) => {
  const job = await api.submit(LONG);
  await open(page, `/jobs/${job.id}`);
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.locator(".title .badge")).toHaveText("Paused");
  await page.getByText("Why is it not moving").click();
  await expect(page.locator(".reasons li").first()).toContainText(/paused/i);
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(page.getByRole("button", { name: "Pause" })).toBeVisible();
  await page.getByRole("button", { name: "Cancel job" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Keep it" }).click();
  expect((await api.job(job.id)).state).toMatch(/queued|running/);
  await page.getByRole("button", { name: "Cancel job" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel job" }).click();
  await expect(page.locator(".title .badge")).toHaveText("Canceled");
});

test("all of it works by keyboard, and the focus goes with the page", async ({ page }) => {
  await open(page, "/");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.getByRole("link", { name: "Jobs", exact: true }).press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Jobs" })).toBeVisible();
  await expect(page.locator("#main")).toBeFocused();
  await expect(page.getByRole("link", { name: "Jobs", exact: true })).toHaveAttribute("aria-current", "page");
  await page.getByLabel("State").selectOption("failed");
  await expect(page).toHaveURL(/state=failed/);
  await expect(page.locator("tbody tr")).toHaveCount(1);
});

test("the appearance is chosen and kept", async ({ page }) => {
  await open(page, "/");
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const auto = await ground();
  await page.getByRole("button", { name: /Appearance/ }).click();
  await page.getByRole("button", { name: /Appearance: Light/ }).click();
  await expect(page.getByRole("button", { name: "Appearance: Dark" })).toBeVisible();
  const dark = await ground();
  expect(dark).not.toBe(auto);
  await page.reload();
  await expect(page.getByRole("button", { name: "Appearance: Dark" })).toBeVisible();
  expect(await ground()).toBe(dark);
});

test("a page without a token says how to get in", async ({ page }) => {
  await page.goto(`${server.origin}/jobs`);
  await expect(page.getByText("This page may not read from the coordinator")).toBeVisible();
  await page.getByRole("link", { name: "enter a token" }).click();
  await page.getByLabel("Token", { exact: true }).fill(api.token);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("You may")).toBeVisible();
});
