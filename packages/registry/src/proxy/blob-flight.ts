// A blob on its way here: written as it comes, read meanwhile by who asked for it. What they get is not verified yet, so the last
// byte is kept back until all of it is: nobody ever gets the whole of something that is not what its digest says.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { BlobStorage, BlobUpload, OpenBlob } from "@teu/distribution/server/blob-storage";
import type { ByteSpan } from "@teu/distribution/wire/byte-range";
import type { BlobInfo } from "@teu/image/content-store";

/** Blobs that are smaller are served once they are here; bytes that are read at once. */
const PIECE = 1 << 20;

type State =
  | { readonly kind: "coming" }
  | { readonly kind: "here" }
  | { readonly kind: "failed"; readonly error: unknown };

/** See the head of this file. Driven by who downloads: `wrote`, then `ended` or `failed`. */
export class BlobFlight {
  readonly blob: BlobInfo;
  readonly #storage: BlobStorage;
  readonly #upload: BlobUpload;
  #written = 0;
  #state: State = { kind: "coming" };
  #waiting: (() => void)[] = [];

  constructor(blob: BlobInfo, storage: BlobStorage, upload: BlobUpload) {
    this.blob = blob;
    this.#storage = storage;
    this.#upload = upload;
  }

  /** Whether nothing has gone wrong so far. */
  get isGood(): boolean {
    return this.#state.kind !== "failed";
  }

  /** More has been written. */
  wrote(bytes: number): void {
    this.#written += bytes;
    this.#wake();
  }

  /** It is a blob of the storage now. */
  ended(): void {
    this.#state = { kind: "here" };
    this.#wake();
  }

  /** It will never be. */
  failed(error: unknown): void {
    this.#state = { kind: "failed", error };
    this.#wake();
  }

  /** Waits until there is something to be read. @throws what it failed with. */
  async begun(scope: Scope): Promise<void> {
    while (this.#state.kind === "coming" && this.#written < PIECE) await this.#change(scope);
    if (this.#state.kind === "failed") throw this.#state.error;
  }

  /** To be read while it comes. @throws what it failed with. */
  open(): OpenBlob {
    if (this.#state.kind === "failed") throw this.#state.error;
    return {
      size: this.blob.size,
      read: (scope, span) => this.#read(scope, span),
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async *#read(scope: Scope, { start, end }: ByteSpan): AsyncIterable<Uint8Array> {
    let at = start;
    while (at < end) {
      scope.check("read blob");
      if (this.#state.kind === "failed") throw this.#state.error;
      if (this.#state.kind === "here") return yield* this.#rest(scope, { start: at, end });
      const until = Math.min(end, this.#written, this.blob.size - 1, at + PIECE);
      if (until <= at) {
        await this.#change(scope);
        continue;
      }
      const chunk = await this.#piece(at, until);
      // It ended just now: the file is to be found under its digest.
      if (chunk === null) continue;
      at += chunk.length;
      yield chunk;
    }
  }

  async #piece(start: number, end: number): Promise<Uint8Array | null> {
    try {
      return await this.#upload.readBack(start, end);
    } catch (error) {
      if (this.#state.kind === "coming" && this.#written < this.blob.size) throw error;
      while (this.#state.kind === "coming") await this.#change();
      return null;
    }
  }

  async *#rest(scope: Scope, span: ByteSpan): AsyncIterable<Uint8Array> {
    await using blob = await this.#storage.open(scope, this.blob.digest);
    if (blob === null) {
      const message = "it was cleaned away at once";
      throw new TeuError({ code: "unavailable", op: "read blob", subject: this.blob.digest, message });
    }
    yield* blob.read(scope, span);
  }

  /** Until something has changed, or `scope` has ended. */
  async #change(scope?: Scope): Promise<void> {
    const signal = scope?.signal;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        signal?.removeEventListener("abort", end);
        resolve();
      };
      this.#waiting.push(end);
      if (signal?.aborted === true) end();
      else signal?.addEventListener("abort", end);
    });
    scope?.check("wait for blob");
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
