// Our own code, fetched ahead so that the click on Start waits for nothing: the hub's wasm and the script of a slot.

/** The parts that travel to the hub and to the frame. */
export interface Parts {
  /** The hub's module, compiled: compiling runs nothing, and saves the click the wait. */
  wasm: WebAssembly.Module;
  slotSource: string;
}

/** Where the parts lie: beside this module. */
export const HUB_URL = new URL("./hub.js", import.meta.url);
/** The sandbox frame's page, on the same host as this module. */
export const FRAME_URL = new URL("/frame/index.html", import.meta.url);

export async function fetchParts(): Promise<Parts> {
  preload(HUB_URL);
  preload(new URL("./web_worker.js", import.meta.url));
  const [wasm, slotSource] = await Promise.all([
    fetchPart("./web_worker_bg.wasm")
      .then((answer) => answer.arrayBuffer())
      .then((bytes) => WebAssembly.compile(bytes)),
    fetchPart("./slot.js").then((answer) => answer.text()),
  ]);
  return { wasm, slotSource };
}

async function fetchPart(name: string): Promise<Response> {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`the server has no ${name} (status ${answer.status})`);
  return answer;
}

/** Brings a script into the browser's cache without running it. */
function preload(url: URL): void {
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.href = url.href;
  document.head.append(link);
}
