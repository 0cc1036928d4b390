// The sandbox frame: an opaque origin that can reach nothing. It starts and ends the slots, and hands the ports
// between them and the hub on. What runs in a slot never touches this page.
"use strict";
const slots = new Map();
let source = null;
let hub = null;

addEventListener("message", (event) => {
  const setup = event.data;
  if (hub || event.source !== parent || setup?.kind !== "setup" || event.ports.length !== 1) return;
  source = URL.createObjectURL(new Blob([setup.source], { type: "text/javascript" }));
  hub = event.ports[0];
  hub.onmessage = ({ data }) => (data.kind === "spawn" ? spawn(data.slot) : kill(data.slot));
  for (let slot = 0; slot < setup.slots; slot += 1) spawn(slot);
});

function spawn(slot) {
  const worker = new Worker(source);
  const { port1, port2 } = new MessageChannel();
  worker.onerror = (event) => hub.postMessage({ kind: "died", slot, detail: event.message ?? "the slot did not start" });
  worker.postMessage(null, [port1]);
  slots.set(slot, worker);
  hub.postMessage({ kind: "slot", slot }, [port2]);
}

function kill(slot) {
  slots.get(slot)?.terminate();
  slots.delete(slot);
}
