// The status of a tab that lends nothing.

import type { Status } from "../shared/messages";

export function stoppedStatus(slots: number, intensity_percent: number): Status {
  return {
    state: "stopped",
    reason: "",
    detail: "",
    jobs: [],
    slots,
    busy: [],
    intensity_percent,
    shards_done: 0,
    items_done: 0,
    shards_failed: 0,
    items_per_second: 0,
    started_ms: 0,
    connection_errors: 0,
  };
}
