// One Chromium for a test file, with a page that holds a sandbox frame and talks to its slots as the hub does.

import { existsSync } from "node:fs";
import { chromium } from "@playwright/test";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const ARGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** XTASK_CHROMIUM names another place. */
export async function launch() {
  const executablePath = process.env.XTASK_CHROMIUM ?? PLACES.find((place) => existsSync(place));
  if (!executablePath) throw new Error("no Chromium found: install the package chromium, or set XTASK_CHROMIUM");
  return chromium.launch({ executablePath, args: ARGS });
}

/** Opens a page with a frame and `slots` slots. */
export async function openSandbox(browser, origin, slots = 1) {
  const page = await browser.newPage();
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.goto(`${origin}/`);
  await page.evaluate(installSandbox, slots);
  return { page, said, sandboxed: page.frames().find((frame) => frame.url().includes("/frame/")) };
}

/** Runs in the page. */
async function installSandbox(slots) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.src = "/frame/index.html";
  await new Promise((resolve) => {
    frame.onload = resolve;
    document.body.append(frame);
  });
  const source = await (await fetch("/web-worker/slot.js")).text();
  const { port1, port2 } = new MessageChannel();
  const ports = new Map();
  const waiting = new Map();
  port1.onmessage = ({ data, ports: [port] }) => {
    if (data.kind !== "slot") return console.error(JSON.stringify(data));
    ports.set(data.slot, port);
    waiting.get(data.slot)?.(port);
  };
  const slotPort = (slot) => ports.get(slot) ?? new Promise((resolve) => waiting.set(slot, resolve));
  frame.contentWindow.postMessage({ kind: "setup", source, slots }, "*", [port2]);

  const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const text = (buffer) => Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  globalThis.sandbox = {
    spawn: (slot) => port1.postMessage({ kind: "spawn", slot }),
    kill: (slot) => {
      port1.postMessage({ kind: "kill", slot });
      ports.delete(slot);
    },
    /** Gives a program (binary text) to a slot; resolves with its answer. */
    async program(slot, program, module, memoryPagesMax) {
      const port = await slotPort(slot);
      const answer = new Promise((resolve) => (port.onmessage = ({ data }) => resolve(data)));
      port.postMessage({ kind: "program", program, bytes: bytes(module).buffer, memoryPagesMax });
      return answer;
    },
    /** Runs inputs (binary text); resolves with the slot's messages up to the end of the batch. */
    async run(slot, options) {
      const port = await slotPort(slot);
      const { inputs, prefix = "", ...rest } = options;
      const ends = Uint32Array.from(inputs, ((at) => (input) => (at += input.length))(0));
      const messages = [];
      const all = new Promise((resolve) => {
        port.onmessage = ({ data }) => {
          messages.push(data.kind === "report" ? { ...data, data: text(data.data), lengths: [...data.lengths] } : data);
          if (data.kind === "end") resolve(messages);
        };
      });
      const message = { kind: "batch", batch: 1, program: 1, memoryPagesMax: 4096, outputBytesMax: 1 << 24, careful: false };
      port.postMessage({ ...message, ...rest, prefix: bytes(prefix).buffer, inputs: bytes(inputs.join("")).buffer, ends });
      return all;
    },
  };
}
