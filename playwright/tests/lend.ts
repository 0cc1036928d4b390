// A page that lends itself, and what it saw of itself meanwhile.

import type { Browser, Page } from "@playwright/test";
import type { Contributor, Status, Tile } from "../../web-worker/ts/page";

declare global {
  var tab: Contributor;
  var seen: Status[];
  var tiles: { job: string; item: number; bytes: number }[];
}

/** A page that lends itself; the module is the one the dashboard uses. */
export async function lendTab(browser: Browser, origin: string, slots = 1): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${origin}/contribute`);
  await page.evaluate(async (slots) => {
    const path = "/web-worker/page.js";
    const { createContributor } = (await import(path)) as typeof import("../../web-worker/ts/page");
    globalThis.seen = [];
    globalThis.tiles = [];
    globalThis.tab = createContributor({ slots });
    tab.onStatus((status: Status) => void seen.push(status));
    tab.onTile(({ job, item, data }: Tile) => void tiles.push({ job, item, bytes: data.byteLength }));
    tab.start();
  }, slots);
  await page.waitForFunction(() => ["idle", "working"].includes(seen.at(-1)?.state ?? ""));
  return page;
}
