// A contributor's account: made at the first Start, the same in every tab, credited with verified work, and its key
// can be taken along and brought, by keyboard and on a narrow screen.

import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { openHouse } from "./house";

const NARROW = { width: 320, height: 640 };
/** A key of another browser: 32 bytes of 7. */
const KEY = `elyk_${"07".repeat(32)}_1967c0fd`;

const house = openHouse(1);

const secret = (page: Page) => page.evaluate(() => localStorage.getItem("elytra.account"));

async function open(page: Page): Promise<void> {
  await page.goto(`${house.server.origin}/contribute#token=${house.api.token}`);
  await expect(page.getByRole("button", { name: "Start" })).toBeEnabled();
}

test("an account is made at the first Start, is the same in every tab, and is credited", async ({ page, context }) => {
  await open(page);
  expect(await secret(page), "nothing is kept before the click").toBe(null);
  await expect(page.getByText("At the first Start this browser makes a key")).toBeVisible();
  await page.getByRole("button", { name: "Start" }).click();
  await expect(page.getByText("This browser works for the account")).toBeVisible();
  const key = await secret(page);
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  const second = await context.newPage();
  await open(second);
  await second.getByRole("button", { name: "Start" }).click();
  await expect(second.getByRole("heading", { name: /Working|Ready/ })).toBeVisible();
  expect(await secret(second)).toBe(key);
  await expect(page.getByRole("heading", { name: /Working|Ready/ })).toBeVisible();
  const spec = { program: "rust-core", entry: "mersenne", input: { range: { start: 3, end: 2_003, step: 2 } }, grain: { items: 5 }, trust: "standard" };
  expect((await house.api.over((await house.api.submit(spec)).id)).state).toBe("succeeded");
  // The broken twin: before any of it was verified there is a stroke, or 0.
  await expect(page.getByText("Credited", { exact: true }).locator("..")).toContainText(/[1-9]\d* shards?/, { timeout: 20_000 });
  await second.close();
});

test("a key is saved, brought and refused, by keyboard and on a narrow screen", async ({ page }) => {
  await page.setViewportSize(NARROW);
  await open(page);
  await page.getByText("Bring a key from elsewhere").focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("Key", { exact: true }).focus();
  await page.keyboard.type(KEY.replace("0707", "0770"));
  await page.keyboard.press("Enter");
  await expect(page.locator("#key-problem")).toContainText("copy it whole");
  expect(await secret(page), "a wrong key is not kept").toBe(null);
  await page.getByLabel("Key", { exact: true }).fill(KEY);
  await page.keyboard.press("Enter");
  await expect(page.getByText("This browser works for the account")).toBeVisible();
  expect(await secret(page)).toBe("07".repeat(32));
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save the key as a file" }).press("Enter");
  const file = await (await saved).path();
  await page.getByRole("button", { name: "Show the key" }).press("Enter");
  await expect(page.getByRole("region", { name: "The account's key" })).toHaveText(KEY);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
  await page.getByRole("button", { name: "Remove the key" }).press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "Remove the key" }).press("Enter");
  await expect(page.getByText("At the first Start this browser makes a key")).toBeVisible();
  expect(await secret(page)).toBe(null);
  await page.getByLabel("Or its file").setInputFiles(file);
  await expect(page.getByText("This browser works for the account")).toBeVisible();
  expect(await secret(page)).toBe("07".repeat(32));
});
