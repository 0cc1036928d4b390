// How the browser tests run: the system's Chromium, one server per test, no download of a browser.

import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

/** Where systems keep Chromium; XTASK_CHROMIUM names another place. */
const CHROMIUM_PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Chromium must not call home, and root has no user namespace for its own sandbox. */
const CHROMIUM_ARGS = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const executablePath = process.env.XTASK_CHROMIUM ?? CHROMIUM_PLACES.find((place) => existsSync(place));
if (!executablePath) {
  throw new Error("no Chromium found: install the package chromium, or set XTASK_CHROMIUM to its path");
}
const isRoot = process.getuid?.() === 0;

export default defineConfig({
  // What costs time is measured apart from what must hold: `npm run bench -w playwright`.
  testDir: process.env.XTASK_BROWSER_BENCH ? "./bench" : "./tests",
  outputDir: "../out/playwright",
  // Each test starts a server and a browser; two cores carry one such pair.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: Boolean(process.env.CI),
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    trace: "retain-on-failure",
    launchOptions: {
      executablePath,
      args: isRoot ? ["--no-sandbox", ...CHROMIUM_ARGS] : CHROMIUM_ARGS,
    },
  },
});
