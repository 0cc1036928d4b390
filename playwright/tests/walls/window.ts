// Ways out that only a window knows: elements that load, navigation, storage with a name, what a person is asked.

import type { At, Probe } from "./probe";

export const ELEMENTS: Probe[] = [
  { name: "image", run: (at) => void (new Image().src = at.http) },
  { name: "image set", run: (at) => void (new Image().srcset = `${at.http} 1x`) },
  { name: "audio", run: (at) => void new Audio(at.http).load() },
  { name: "video", run: (at) => void Object.assign(document.body.appendChild(document.createElement("video")), { src: at.http }) },
  { name: "script", run: (at) => void Object.assign(document.body.appendChild(document.createElement("script")), { src: `${at.http}?as=js` }) },
  { name: "object", run: (at) => void document.body.appendChild(Object.assign(document.createElement("object"), { data: at.http })) },
  { name: "embed", run: (at) => void document.body.appendChild(Object.assign(document.createElement("embed"), { src: at.http })) },
  { name: "button of an image", run: (at) => void document.body.appendChild(Object.assign(document.createElement("input"), { type: "image", src: at.http })) },
  { name: "background from a style", run: (at) => void (document.body.style.background = `url(${at.http})`) },
  {
    name: "font",
    run: (at) => new FontFace("out", `url(${at.http})`).load(),
  },
  {
    name: "adopted style sheet",
    run: (at) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(`body { list-style-image: url(${at.http}); display: list-item }`);
      document.adoptedStyleSheets = [sheet];
    },
  },
  {
    name: "image in a drawing",
    run: (at) => {
      document.body.innerHTML = `<svg width="9" height="9"><image width="9" height="9" href="${at.http}"/></svg>`;
    },
  },
  {
    name: "script with the frame's own hash",
    // A policy with nothing but hashes would let the request out, and refuse only what comes back.
    run: (at) => {
      const policy = document.querySelector<HTMLMetaElement>("meta[http-equiv]")?.content ?? "";
      const hash = /sha256-[^']+/.exec(policy)?.[0] ?? "";
      const script = Object.assign(document.createElement("script"), { integrity: hash, crossOrigin: "anonymous", src: `${at.http}?as=js` });
      document.body.append(script);
    },
  },
  ...["stylesheet", "prefetch", "modulepreload", "icon", "manifest"].map((rel) => ({
    name: `link ${rel}`,
    param: rel,
    run: (at: At) => void document.head.append(Object.assign(document.createElement("link"), { rel: at.param, href: `${at.http}?as=${at.param === "stylesheet" ? "css" : "js"}` })),
    ...(["icon", "manifest"].includes(rel) ? { twinless: "a browser without a window loads none" } : {}),
  })),
  {
    name: "link preload",
    run: (at) => void document.head.append(Object.assign(document.createElement("link"), { rel: "preload", as: "image", href: at.http })),
  },
  { name: "sendBeacon", run: (at) => void navigator.sendBeacon(at.http, "x") },
  {
    name: "fetchLater",
    twin: "own page",
    run: (at) => void (globalThis as never as { fetchLater(url: string, options: object): void }).fetchLater(at.http, { activateAfter: 0 }),
  },
  {
    name: "speculation rules",
    twinless: "this browser speculates only where its settings say so",
    run: (at) => {
      const rules = Object.assign(document.createElement("script"), { type: "speculationrules", textContent: JSON.stringify({ prefetch: [{ urls: [at.http], eagerness: "immediate" }] }) });
      document.head.append(rules);
    },
  },
  {
    name: "report of a broken policy",
    twin: "reporting",
    run: (at) => {
      const meta = Object.assign(document.createElement("meta"), { httpEquiv: "Content-Security-Policy", content: `img-src 'none'; report-uri ${at.http}` });
      document.head.append(meta);
      new Image().src = "/nothing.png";
    },
  },
];

export const FRAMES: Probe[] = [
  { name: "frame of an address", run: (at) => void document.body.append(Object.assign(document.createElement("iframe"), { src: at.http })) },
  { name: "frame of its own text", run: (at) => void document.body.append(Object.assign(document.createElement("iframe"), { srcdoc: `<img src="${at.http}">` })) },
  {
    name: "frame of its own text, with a script",
    run: (at) => void document.body.append(Object.assign(document.createElement("iframe"), { srcdoc: `<script>fetch("${at.http}")</script>` })),
  },
  { name: "frame of blob:", run: (at) => void document.body.append(Object.assign(document.createElement("iframe"), { src: URL.createObjectURL(new Blob([`<img src="${at.http}">`], { type: "text/html" })) })) },
  {
    name: "fetch of an empty frame",
    run: (at) => document.body.appendChild(document.createElement("iframe")).contentWindow!.fetch(at.http).then(() => "succeeded"),
  },
  {
    name: "RTCPeerConnection of an empty frame",
    heard: "udp:",
    run: async (at) => {
      const inner = document.body.appendChild(document.createElement("iframe")).contentWindow as Window & typeof globalThis;
      const peer = new inner.RTCPeerConnection({ iceServers: [{ urls: `stun:${at.udp}` }] });
      peer.createDataChannel("out");
      await peer.setLocalDescription(await peer.createOffer());
    },
  },
];

export const NAVIGATION: Probe[] = [
  { name: "location", run: (at) => void (location.href = at.http) },
  { name: "meta refresh", run: (at) => void document.head.append(Object.assign(document.createElement("meta"), { httpEquiv: "refresh", content: `0;url=${at.http}` })) },
  { name: "click on a link", run: (at) => document.body.appendChild(Object.assign(document.createElement("a"), { href: at.http })).click() },
  { name: "click on a link to a new window", run: (at) => document.body.appendChild(Object.assign(document.createElement("a"), { href: at.http, target: "_blank", rel: "noopener" })).click() },
  { name: "ping of a link", run: (at) => document.body.appendChild(Object.assign(document.createElement("a"), { href: "#here", ping: at.http })).click() },
  { name: "download", run: (at) => document.body.appendChild(Object.assign(document.createElement("a"), { href: at.http, download: "x" })).click() },
  { name: "window.open", run: (at) => (window.open(at.http) ? "sent" : "refused: no window") },
  { name: "form", run: (at) => document.body.appendChild(Object.assign(document.createElement("form"), { action: at.http })).submit() },
  { name: "form to a new window", run: (at) => document.body.appendChild(Object.assign(document.createElement("form"), { action: at.http, target: "_blank", method: "post" })).submit() },
  { name: "top.location", twin: "own page", run: (at) => void (top!.location.href = at.http) },
  { name: "parent.location", twin: "own page", run: (at) => void parent.location.replace(at.http) },
  { name: "form of the page", twin: "own page", run: (at) => document.body.appendChild(Object.assign(document.createElement("form"), { action: at.http, target: "_top" })).submit() },
];

export const PERSONAL: Probe[] = [
  {
    name: "localStorage",
    run: (at) => {
      localStorage.setItem(at.token, "x");
      return "succeeded";
    },
  },
  {
    name: "sessionStorage",
    run: (at) => {
      sessionStorage.setItem(at.token, "x");
      return "succeeded";
    },
  },
  {
    name: "document.cookie",
    run: (at) => {
      document.cookie = `${at.token}=x`;
      return document.cookie.includes(at.token) ? "succeeded" : "refused: not kept";
    },
  },
  { name: "cookieStore", run: (at) => (globalThis as never as { cookieStore: { set(n: string, v: string): Promise<void> } }).cookieStore.set(at.token, "x").then(() => "succeeded") },
  { name: "document of the page", run: () => (parent.document.body ? "succeeded" : "") },
  { name: "storage of the page", run: () => (top!.localStorage.length >= 0 ? "succeeded" : "") },
  {
    name: "SharedWorker",
    run: (at) =>
      new Promise((resolve, reject) => {
        const source = `onconnect = ({ ports: [port] }) => fetch("${at.http}").then(() => port.postMessage("succeeded"), () => port.postMessage("refused"))`;
        const worker = new SharedWorker(URL.createObjectURL(new Blob([source])));
        worker.port.onmessage = ({ data }) => resolve(data);
        worker.onerror = () => reject(new Error("did not start"));
      }),
  },
  { name: "service worker", run: (at) => navigator.serviceWorker.register(`/hit/${at.token}?as=js`).then(() => "succeeded") },
  {
    name: "geolocation",
    run: () => new Promise((resolve, reject) => navigator.geolocation.getCurrentPosition(() => resolve("succeeded"), ({ message }) => reject(new Error(message)))),
  },
  { name: "notifications", run: () => Notification.requestPermission().then((answer) => (answer === "granted" ? "succeeded" : `refused: ${answer}`)) },
  {
    name: "clipboard",
    run: () => {
      window.focus();
      return navigator.clipboard.writeText("x").then(() => "succeeded");
    },
  },
  { name: "camera", twinless: "this machine has none", run: () => navigator.mediaDevices.getUserMedia({ video: true }).then(() => "succeeded") },
];

/** No policy forbids it to a window; only that no script but ours runs there. */
export const PRECONNECT: Probe = {
  name: "link preconnect",
  heard: "tcp:",
  twinless: "the tests' browser connects to nothing ahead",
  run: (at) => void document.head.append(Object.assign(document.createElement("link"), { rel: "preconnect", href: at.tcp })),
};
