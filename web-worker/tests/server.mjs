// Serves what the build made and the hand-written frame, with the policies that the coordinator sends.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".svg": "image/svg+xml" };
const PAGE_POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; frame-src 'self'; style-src 'self' 'unsafe-inline'";
export const FRAME_POLICY =
  "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; worker-src blob:; frame-ancestors 'self'";

/** Where a path lies: the frame is hand-written, everything else is built. */
function place(path) {
  return path.startsWith("/frame/") ? join(ROOT, "static", path) : join(ROOT, "dist/web", path);
}

/** Serves on a free port until it is closed; `framePolicy` can be weakened by a test that wants to see it matter. */
export async function serve({ framePolicy = FRAME_POLICY } = {}) {
  const reached = [];
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    reached.push(path);
    if (path === "/") return response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><body></body>");
    try {
      let body = await readFile(place(path));
      if (path === "/frame/index.html" && !framePolicy) body = body.toString().replace(/<meta http-equiv[^>]*>/, "");
      const policy = path.startsWith("/frame/") ? framePolicy : PAGE_POLICY;
      response.writeHead(200, {
        "content-type": TYPES[extname(path)] ?? "application/octet-stream",
        "access-control-allow-origin": "*",
        ...(policy ? { "content-security-policy": policy } : {}),
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return { origin, reached, close: () => new Promise((resolve) => server.close(resolve)) };
}
