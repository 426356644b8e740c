// The digest of a stream whose chunks somebody else reads. Who has a call into the thread pool anyhow may have the present chunk hashed
// there, beside bytes of his own; a chunk that nobody has taken by the time when it is needed goes there alone.

import type { HashedBytes, Turn } from "@teu/files/file-writer";

import type { PoolBlobVerifier } from "../verified-stream.ts";

/** One stream, once. */
export class OfferedBytes {
  readonly #verifier: PoolBlobVerifier;
  /** What nobody has taken yet. */
  #chunk: Uint8Array | null = null;
  /** When what was taken is hashed. Never rejects. */
  #hashed: Promise<unknown> = Promise.resolve();

  /** `verifier` has seen every chunk when `through` has ended. */
  constructor(verifier: PoolBlobVerifier) {
    this.#verifier = verifier;
  }

  /** Passes the chunks on. One is hashed when the next but one is asked for: until then it must stay as it is. */
  async *through(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    try {
      for await (const chunk of source) {
        await this.#settle();
        this.#chunk = chunk;
        yield chunk;
      }
    } finally {
      await this.#settle();
    }
  }

  /** Calls `start` with the present chunk, if there is one that is not hashed: it is in the turn that `start` begins. */
  async handOver(start: (bytes: HashedBytes | undefined) => Promise<Turn>): Promise<void> {
    const chunk = this.#chunk;
    this.#chunk = null;
    const started = start(chunk === null ? undefined : this.#verifier.handOver(chunk));
    // Its failure is told below; whoever waits for the chunk has to go on then, too.
    if (chunk !== null) this.#hashed = started.then(({ done }) => done).catch(() => {});
    await started;
  }

  async #settle(): Promise<void> {
    const chunk = this.#chunk;
    this.#chunk = null;
    if (chunk !== null) await this.#verifier.update(chunk);
    await this.#hashed;
  }
}
