// The entry for Node and Deno: everything, with files, processes and bundling.

import { runOn } from "./elytra.js";
import { NODE } from "./node/platform.js";

runOn(NODE);

export * from "./index.js";
