// Every page opens without an error, says what it is for, and axe finds nothing to complain about.

import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { openHouse } from "./house";

const PAGES = ["/", "/contribute", "/overview", "/jobs", "/workers", "/submit"];
/** The narrowest screen that must work. */
const NARROW = { width: 320, height: 640 };

const house = openHouse(1);

for (const path of PAGES) {
  test(`${path} opens, is accessible and fits a narrow screen`, async ({ page }) => {
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(house.server.origin + path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map((violation) => `${violation.id}: ${violation.nodes[0]?.html}`)).toEqual([]);
    await page.setViewportSize(NARROW);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    expect(errors).toEqual([]);
  });
}
