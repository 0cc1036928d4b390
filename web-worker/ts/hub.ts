// The hub of a tab: one dedicated worker that holds the connection and the worker's heart (both in wasm). This
// script only carries messages between it, the page and the slots.

import init, { Hub } from "./web_worker.js";
import { Outside, type SlotListener } from "./hub/outside";
import type { FromFrame, FromHub, FromSlot, HubSetup, ToHub } from "./shared/messages";

const toPage = (message: FromHub, transfer: Transferable[] = []) => self.postMessage(message, { transfer });

/** Messages of the page and the frame that came before the wasm was ready wait in these promises' turn. */
let ready: Promise<Hub> | null = null;

self.onmessage = (event: MessageEvent<ToHub>) => {
  const message = event.data;
  if (message.kind === "setup") {
    const [frame] = event.ports;
    if (frame && !ready) ready = begin(message, frame);
  } else {
    void ready?.then((hub) => obey(hub, message)).catch(broken);
  }
};

async function begin(setup: HubSetup, frame: MessagePort): Promise<Hub> {
  try {
    await init({ module_or_path: setup.wasm });
    const listener: SlotListener = { onSlot: (slot, message) => heard(hub, slot, message) };
    const outside = new Outside(frame, toPage, listener);
    const hub = new Hub(JSON.stringify(setup.options), outside);
    frame.onmessage = (event: MessageEvent<FromFrame>) => {
      const [port] = event.ports;
      if (event.data.kind === "slot" && port) outside.attach(event.data.slot, port);
      else if (event.data.kind === "died") hub.slot_died(event.data.slot, event.data.detail);
    };
    return hub;
  } catch (error) {
    broken(error);
    throw error;
  }
}

function obey(hub: Hub, message: Exclude<ToHub, HubSetup>): void {
  switch (message.kind) {
    case "pause":
      return hub.pause(message.reason);
    case "resume":
      return hub.resume(message.reason);
    case "finish":
      return hub.finish();
    case "stop":
      return hub.stop();
    case "slots":
      return hub.set_slots(message.slots);
    case "intensity":
      return hub.set_intensity(message.percent);
  }
}

function heard(hub: Hub, slot: number, message: FromSlot): void {
  switch (message.kind) {
    case "compiled":
      return hub.compiled(message.program);
    case "refused":
      return hub.refused(message.program, message.detail);
    case "report": {
      const failure = message.failure ? JSON.stringify(message.failure) : undefined;
      const data = new Uint8Array(message.data);
      return hub.report(slot, message.batch, message.first, message.lengths, data, message.busyUs, failure);
    }
    case "end":
      return hub.batch_ended(slot, message.batch);
  }
}

function broken(error: unknown): void {
  toPage({ kind: "broken", detail: String(error) });
}
