// The store in memory against the contract.

import { contentStoreSuite } from "./content-store.suite.ts";
import { MemoryContentStore } from "./memory-content-store.ts";

contentStoreSuite("MemoryContentStore", async () => ({
  store: new MemoryContentStore(),
  [Symbol.asyncDispose]: async () => {},
}));
