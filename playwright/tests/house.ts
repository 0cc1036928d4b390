// One `elytra dev` for all tests of a spec.

import { test } from "@playwright/test";
import { Api } from "./api";
import { startServer, type Server } from "./server";

/** Filled before the first test of the spec, and ended behind its last. */
export interface House {
  server: Server;
  api: Api;
}

/** `slots` are those of its native worker; with 0 there is none, and what is done is done by tabs. */
export function openHouse(slots: number): House {
  const house = {} as House;
  test.beforeAll(async () => {
    house.server = await startServer("dev", slots);
    house.api = await Api.connect(house.server);
  });
  test.afterAll(async () => {
    await house.server?.stop();
  });
  return house;
}
