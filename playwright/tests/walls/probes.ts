// Ways out that both a worker and a window know. Each function stands alone: it travels as text.

import type { Probe } from "./probe";

export const NETWORK: Probe[] = [
  { name: "fetch", run: (at) => fetch(at.http).then(() => "succeeded") },
  { name: "fetch without CORS, kept alive", run: (at) => fetch(at.http, { mode: "no-cors", method: "POST", body: "x", keepalive: true }).then(() => "succeeded") },
  {
    name: "XMLHttpRequest",
    run: (at) =>
      new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.onload = () => resolve("succeeded");
        request.onerror = () => reject(new Error("no answer"));
        request.open("GET", at.http);
        request.send();
      }),
  },
  {
    name: "XMLHttpRequest, waiting",
    run: (at) => {
      const request = new XMLHttpRequest();
      request.open("GET", at.http, false);
      request.send();
      return "succeeded";
    },
  },
  {
    name: "WebSocket",
    run: (at) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(at.http.replace("http", "ws"));
        socket.onopen = () => resolve("succeeded");
        socket.onerror = () => reject(new Error("no connection"));
      }),
  },
  {
    name: "WebSocketStream",
    run: (at) => new (globalThis as never as { WebSocketStream: new (url: string) => { opened: Promise<unknown> } }).WebSocketStream(at.http.replace("http", "ws")).opened,
  },
  {
    name: "EventSource",
    run: (at) =>
      new Promise((resolve, reject) => {
        const source = new EventSource(`${at.http}?as=events`);
        source.onopen = () => resolve("succeeded");
        source.onerror = () => reject(new Error("no connection"));
      }),
  },
  {
    name: "WebTransport",
    heard: "udp:",
    twinless: "QUIC is switched off in the tests' browser",
    run: (at) => new WebTransport(`https://${at.udp}/`).ready.then(() => "succeeded"),
  },
  {
    name: "RTCPeerConnection",
    heard: "udp:",
    run: async (at) => {
      const peer = new RTCPeerConnection({ iceServers: [{ urls: `stun:${at.udp}` }] });
      peer.createDataChannel("out");
      await peer.setLocalDescription(await peer.createOffer());
    },
  },
];

export const CODE: Probe[] = [
  { name: "import of an address", run: (at) => import(`${at.http}?as=js`).then(() => "succeeded") },
  { name: "import of data:", param: "data:text/javascript,export default 1", run: (at) => import(at.param).then(() => "succeeded") },
  {
    name: "import of blob:",
    run: () => import(URL.createObjectURL(new Blob(["export default 1"], { type: "text/javascript" }))).then(() => "succeeded"),
  },
  // Indirect, so that it is the page's own; a strict compiler would refuse the direct form.
  { name: "eval", run: () => (0, eval)("'succeeded'") as string },
  { name: "new Function", run: () => new Function("return 'succeeded'")() as string },
  {
    name: "a timer with text",
    run: (at) =>
      new Promise((resolve) => {
        Object.assign(globalThis, { [`ran-${at.token}`]: () => resolve("succeeded") });
        setTimeout(`globalThis["ran-${at.token}"]()` as never, 0);
      }),
  },
  {
    name: "Worker of an address",
    run: (at) =>
      new Promise((resolve, reject) => {
        // Another origin's script is refused everywhere; a worker of ours that imports it is not.
        const worker = new Worker(`${at.http}?as=js`);
        worker.onerror = () => reject(new Error("did not start"));
        setTimeout(resolve, 500);
      }),
  },
  {
    name: "Worker of data:",
    run: () =>
      new Promise((resolve, reject) => {
        const worker = new Worker("data:text/javascript,postMessage(1)");
        worker.onmessage = () => resolve("succeeded");
        worker.onerror = () => reject(new Error("did not start"));
      }),
  },
  {
    name: "nested blob worker that fetches",
    run: (at) =>
      new Promise((resolve, reject) => {
        const source = `fetch("${at.http}").then(() => postMessage("succeeded"), () => postMessage("refused"))`;
        const worker = new Worker(URL.createObjectURL(new Blob([source])));
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = () => reject(new Error("did not start"));
      }),
  },
  {
    name: "nested blob worker that imports",
    run: (at) =>
      new Promise((resolve, reject) => {
        const source = `import "${at.http}?as=js"; postMessage("succeeded")`;
        const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = () => reject(new Error("did not start"));
      }),
  },
];

export const STORAGE: Probe[] = [
  {
    name: "IndexedDB",
    run: (at) =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open(at.token);
        request.onsuccess = () => resolve("succeeded");
        request.onerror = () => reject(new Error("not opened"));
      }),
  },
  { name: "CacheStorage", run: (at) => caches.open(at.token).then(() => "succeeded") },
  { name: "private file system", run: () => navigator.storage.getDirectory().then(() => "succeeded") },
  { name: "locks", twin: "own page", run: (at) => navigator.locks.request(at.token, () => "succeeded") },
  {
    name: "BroadcastChannel to the page",
    run: (at) =>
      new Promise((resolve) => {
        // The page echoes what it hears in this channel.
        const channel = new BroadcastChannel("walls");
        channel.onmessage = ({ data }) => data === `echo ${at.token}` && resolve("succeeded");
        channel.postMessage(at.token);
      }),
  },
  {
    name: "shared memory with another thread",
    twin: "isolated",
    run: () =>
      new Promise((resolve, reject) => {
        const worker = new Worker(URL.createObjectURL(new Blob(["onmessage = () => postMessage(1)"])));
        worker.onmessage = () => resolve("succeeded");
        worker.onerror = () => reject(new Error("did not start"));
        worker.postMessage(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
      }),
  },
];

/** What only a worker has. */
export const WORKER: Probe[] = [
  {
    name: "importScripts of an address",
    run: (at) => {
      (globalThis as never as { importScripts(url: string): void }).importScripts(`${at.http}?as=js`);
      return "succeeded";
    },
  },
  {
    name: "importScripts of data:",
    run: () => {
      (globalThis as never as { importScripts(url: string): void }).importScripts("data:text/javascript,1");
      return "succeeded";
    },
  },
  {
    name: "importScripts of blob:",
    run: () => {
      (globalThis as never as { importScripts(url: string): void }).importScripts(URL.createObjectURL(new Blob(["1"])));
      return "succeeded";
    },
  },
];
