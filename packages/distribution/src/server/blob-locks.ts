// Keeps "write the bytes, then link them" apart from "forget the blob, then delete its bytes", digest by digest.
// One process serves one storage; replicas over shared storage will take these locks in the database.

import type { Digest } from "@teu/image/digest";

import type { BlobStorage } from "./blob-storage.ts";
import { KeyedMutex } from "./keyed-mutex.ts";

const LOCKS = new WeakMap<BlobStorage, BlobLocks>();

/** Locks by digest for one storage. */
export class BlobLocks {
  readonly #mutex: KeyedMutex = new KeyedMutex();

  /** The locks that everybody who changes this storage shares. */
  static of(storage: BlobStorage): BlobLocks {
    let locks = LOCKS.get(storage);
    if (locks === undefined) LOCKS.set(storage, (locks = new BlobLocks()));
    return locks;
  }

  /** Waits for the lock of a digest; disposing releases it. */
  async hold(digest: Digest): Promise<Disposable> {
    const release = await this.#mutex.acquire(digest);
    return { [Symbol.dispose]: release };
  }
}
