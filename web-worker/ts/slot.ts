// A slot: a blob worker inside the sandbox frame. It compiles admitted programs and runs their shards, each in
// a fresh instance that reaches nothing but its input and its output. It has no network, no storage and no page.

import type { FromSlot, ToSlot } from "./shared/messages";
import { runBatch } from "./slot/batch";
import { Programs } from "./slot/programs";

const programs = new Programs();

self.onmessage = (event: MessageEvent) => {
  const port = event.ports[0];
  if (port) serve(port);
};

function serve(port: MessagePort): void {
  const send = (message: FromSlot, transfer: Transferable[] = []) => port.postMessage(message, transfer);
  port.onmessage = (event: MessageEvent<ToSlot>) => answer(event.data, send);
}

function answer(message: ToSlot, send: (message: FromSlot, transfer?: Transferable[]) => void): void {
  switch (message.kind) {
    case "program":
      return send(programs.take(message.program, message.bytes, message.memoryPagesMax));
    case "forget":
      return programs.forget(message.program);
    case "batch":
      runBatch(message, programs, send);
      return send({ kind: "end", batch: message.batch });
  }
}
