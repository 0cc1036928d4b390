// The digest of a job, so that runs on different workers can be compared.

import { createHash } from "node:crypto";

/** The digest of a job's outputs as one shard would have written them. */
export function digestOf(outputs: Buffer[]): string {
  const hash = createHash("sha256");
  for (const output of outputs) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(output.length);
    hash.update(length).update(output);
  }
  return hash.digest("hex");
}
