// One run from Start to the end: the hub's worker and the sandbox frame, brought together by a channel.

import { FRAME_URL, HUB_URL, type Parts } from "./parts";
import { simdRuns } from "./simd";
import type { FrameSetup, FromHub, HubOptions, HubSetup, Status, Tile, ToHub } from "../shared/messages";

export interface SessionListener {
  onStatus(status: Status): void;
  onTile(tile: Tile): void;
  /** The tab has left, or could not begin; the reason is a stable word. */
  onEnd(reason: string, detail: string): void;
}

/** How long a hub may take to say goodbye before it is ended. */
const GOODBYE_MS_MAX = 500;
/** How long the frame may take to load. */
const FRAME_MS_MAX = 15_000;
/** Most wishes that wait for the hub's setup; of more, the newest count. */
const EARLY_MAX = 64;

/** What a page asks of a running hub. */
type Wish = Exclude<ToHub, HubSetup>;

export class Session {
  readonly #hub: Worker;
  readonly #frame: HTMLIFrameElement;
  #over = false;
  #last: Status | null = null;
  /** What was asked before the hub was set up, in order; null from then on. */
  #early: Wish[] | null = [];

  constructor(
    parts: Promise<Parts>,
    options: Promise<Omit<HubOptions, "memory_mib" | "simd">>,
    readonly listener: SessionListener,
  ) {
    this.#hub = new Worker(HUB_URL, { type: "module", name: "elytra-hub" });
    this.#hub.onmessage = (event: MessageEvent<FromHub>) => this.#heard(event.data);
    this.#hub.onerror = (event) => this.#end("hub_broken", event.message ?? "the hub's script did not load");
    this.#frame = document.createElement("iframe");
    const loaded = openFrame(this.#frame);
    Promise.all([parts, options, loaded]).then(
      ([parts, options]) => this.#join(parts, { ...options, memory_mib: memoryMib(), simd: simdRuns() }),
      (error: unknown) => this.#end("not_loaded", String(error)),
    );
  }

  tell(wish: Wish): void {
    if (this.#early) this.#early = [...this.#early, wish].slice(-EARLY_MAX);
    else this.#hub.postMessage(wish);
  }

  /** Ends everything: the slots at once, the hub when it has said goodbye. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#frame.remove();
    this.#hub.postMessage({ kind: "stop" } satisfies ToHub);
    setTimeout(() => this.#hub.terminate(), GOODBYE_MS_MAX);
  }

  #join({ wasm, slotSource }: Parts, options: HubOptions): void {
    const target = this.#frame.contentWindow;
    if (this.#over || !target) return;
    const { port1, port2 } = new MessageChannel();
    const frameSetup: FrameSetup = { kind: "setup", source: slotSource, slots: options.slots };
    // The frame's origin is opaque, so it has no name to address; what is sent is no secret.
    target.postMessage(frameSetup, "*", [port2]);
    this.#hub.postMessage({ kind: "setup", wasm, options } satisfies HubSetup, [port1]);
    this.#early?.forEach((wish) => this.#hub.postMessage(wish));
    this.#early = null;
  }

  #heard(message: FromHub): void {
    if (message.kind === "stopped") return this.#stopped();
    if (this.#over) return;
    if (message.kind === "broken") this.#end("hub_broken", message.detail);
    if (message.kind === "tile") this.listener.onTile(message.tile);
    if (message.kind === "status") {
      this.#last = message.status;
      this.listener.onStatus(message.status);
    }
  }

  #stopped(): void {
    this.#hub.terminate();
    this.#end(this.#last?.reason ?? "", this.#last?.detail ?? "");
  }

  #end(reason: string, detail: string): void {
    if (!this.#over) this.listener.onEnd(reason, detail);
  }
}

function openFrame(frame: HTMLIFrameElement): Promise<void> {
  frame.setAttribute("sandbox", "allow-scripts");
  frame.title = "Elytra sandbox";
  frame.setAttribute("aria-hidden", "true");
  frame.tabIndex = -1;
  // Out of sight but laid out: a frame without a box may be throttled.
  frame.style.cssText = "position:fixed;width:1px;height:1px;border:0;opacity:0;pointer-events:none;bottom:0;left:0";
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error("the sandbox frame did not load"));
    const timer = setTimeout(late, FRAME_MS_MAX);
    frame.onload = () => {
      clearTimeout(timer);
      resolve();
    };
    frame.src = FRAME_URL.href;
    document.body.append(frame);
  });
}

/** What one instance may have: small devices promise less. */
function memoryMib(): number {
  const { deviceMemory } = navigator as Navigator & { deviceMemory?: number };
  return (deviceMemory ?? 4) >= 4 ? 1024 : 256;
}
