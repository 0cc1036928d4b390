// Canaries: listeners on this machine that nothing from inside the walls may wake. They also serve the pages of the
// broken twins, which have no walls.

import { createSocket } from "node:dgram";
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcp, type AddressInfo, type Server } from "node:net";
import { networkInterfaces } from "node:os";

/** Where a probe's canaries are. */
export interface Place {
  /** An address that is this probe's own; with `?as=js` and the like it answers as that type. */
  http: string;
  /** A listener that only counts connections. */
  tcp: string;
  /** The same for datagrams, as host and port. */
  udp: string;
  /** The probe's own name, for what is told by name. */
  token: string;
}

export interface Canary {
  origin: string;
  at(token: string): Place;
  /** How often this probe's address was asked for, or its TCP or UDP listener for `tcp:` and `udp:`. */
  heard(token: string): number;
  stop(): Promise<void>;
}

const TYPES: Record<string, string> = {
  js: "text/javascript",
  css: "text/css",
  html: "text/html",
  events: "text/event-stream",
};

/** Loopback is not asked by WebRTC, so datagrams go to an address of this machine. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}

export async function startCanary(): Promise<Canary> {
  const hits = new Map<string, number>();
  const hit = (token: string) => hits.set(token, (hits.get(token) ?? 0) + 1);
  const tokenOf = (request: IncomingMessage) => /^\/hit\/([^/?]+)/.exec(request.url ?? "")?.[1];
  const http = createHttp((request, response) => {
    const token = tokenOf(request);
    if (token) hit(token);
    answer(request, response);
  });
  http.on("upgrade", (request, socket) => {
    hit(tokenOf(request) ?? "");
    socket.destroy();
  });
  const tcp = createTcp((socket) => {
    hit("tcp:");
    socket.on("error", () => socket.destroy());
    socket.destroy();
  });
  const udp = createSocket("udp4", () => hit("udp:"));
  const [httpPort, tcpPort, udpPort] = [await listen(http), await listen(tcp), await bind(udp)];
  const origin = `http://127.0.0.1:${httpPort}`;
  return {
    origin,
    at: (token) => ({ http: `${origin}/hit/${token}`, tcp: `http://127.0.0.1:${tcpPort}/`, udp: `${ownAddress()}:${udpPort}`, token }),
    heard: (token) => hits.get(token) ?? 0,
    async stop() {
      http.closeAllConnections();
      await Promise.all([http, tcp].map((server) => new Promise((done) => server.close(done))));
      await new Promise<void>((done) => udp.close(() => done()));
    },
  };
}

/** A page, or a hit in the type that it is asked for. `?report=` sends what breaks the page's policy to that address. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "/", "http://canary");
  const type = TYPES[url.searchParams.get("as") ?? "html"] ?? "text/html";
  const report = url.searchParams.get("report");
  response.writeHead(200, {
    "content-type": type,
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "*",
    "cache-control": "no-store",
    ...(report ? { "content-security-policy": `img-src 'none'; report-uri ${report}` } : {}),
    // A shared memory travels between the workers of an isolated page only.
    ...(url.pathname === "/isolated" ? { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" } : {}),
  });
  response.end(type === "text/html" ? "<!doctype html><title>open</title><body></body>" : "");
}

function listen(server: Server): Promise<number> {
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done((server.address() as AddressInfo).port)));
}

function bind(socket: ReturnType<typeof createSocket>): Promise<number> {
  return new Promise((done) => socket.bind(0, () => done(socket.address().port)));
}
