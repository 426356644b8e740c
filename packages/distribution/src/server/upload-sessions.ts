// Upload sessions: the meeting point of the metadata (which sessions there are) and the blob storage (their bytes).
// One request at a time has a session; a second one waits a little, since clients retry before we notice that they were gone.

import { randomUUID } from "node:crypto";
import { isTeuError } from "@teu/base/errors";
import type { BlobInfo } from "@teu/image/content-store";
import type { Digest } from "@teu/image/digest";

import type { BlobUpload } from "./blob-storage.ts";
import type { ServerContext } from "./exchange.ts";
import { KeyedMutex } from "./keyed-mutex.ts";
import type { UploadSession } from "./metadata-storage.ts";
import { problem, Problem } from "./problem.ts";

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** An open session; disposing gives it free for the next request. */
export interface HeldUpload extends AsyncDisposable {
  readonly session: UploadSession;
  readonly upload: BlobUpload;
}

/** All sessions of one server. */
export class UploadSessions {
  readonly #context: ServerContext;
  readonly #mutex: KeyedMutex = new KeyedMutex();

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** Begins a session. @throws Problem 429 when there are too many. */
  async start(repository: string, algorithm: string | undefined): Promise<HeldUpload> {
    const { scope, metadata, blobs, limits } = this.#context;
    const session: UploadSession = { id: randomUUID(), repository, ...(algorithm === undefined ? {} : { algorithm }) };
    try {
      await metadata.createUpload(scope, session, limits.uploads);
    } catch (error) {
      // Otherwise the disk is full.
      if (!isTeuError(error, "exhausted") || error.detail["limit"] === undefined) throw error;
      throw new Problem(
        429,
        { code: "TOOMANYREQUESTS", message: "too many uploads are open" },
        { "retry-after": "60" },
      );
    }
    const release = await this.#mutex.acquire(session.id);
    try {
      return held(session, await blobs.createUpload(scope, session.id, algorithm), release);
    } catch (error) {
      release();
      await metadata.deleteUpload(scope, session.id);
      throw error;
    }
  }

  /** Opens a session of this repository for one request. @throws Problem BLOB_UPLOAD_UNKNOWN, 409 when another request has it. */
  async hold(repository: string, id: string): Promise<HeldUpload> {
    const { scope, metadata, blobs, limits } = this.#context;
    if (!ID.test(id)) throw unknownUpload(id);
    const release = await this.#mutex.acquire(id, limits.uploadWait);
    if (release === null) throw problem(409, "BLOB_UPLOAD_INVALID", "another request is using this upload");
    try {
      const session = await metadata.findUpload(scope, repository, id);
      if (session === null) throw unknownUpload(id);
      return held(session, await blobs.openUpload(scope, id, session.algorithm), release);
    } catch (error) {
      release();
      if (!isTeuError(error, "not-found")) throw error;
      // Its bytes are gone (a crash between commit and bookkeeping): so is the session.
      await metadata.deleteUpload(scope, id);
      throw unknownUpload(id);
    }
  }

  /** Makes the upload a blob of its repository. @throws Problem DIGEST_INVALID when the content is something else; the session is then over. */
  async finish(held: HeldUpload, digest: Digest): Promise<BlobInfo> {
    const { scope, metadata } = this.#context;
    const { session, upload } = held;
    try {
      // Claimed first: cleaning, in whatever process, that deletes this very digest comes wholly before or not at all.
      if (!(await metadata.claimBlobs(scope, session.id, [digest]))) throw unknownUpload(session.id);
      const blob = await upload.commit(digest);
      const link = { upload: session.id, blobs: [blob], end: true };
      if (!(await metadata.linkClaimed(scope, session.repository, link))) throw unknownUpload(session.id);
      return blob;
    } catch (error) {
      await metadata.deleteUpload(scope, session.id);
      if (isTeuError(error, "corrupt"))
        throw problem(400, "DIGEST_INVALID", "the content does not have this digest", { digest });
      throw error;
    }
  }

  /** Drops a session and its bytes. */
  async cancel(held: HeldUpload): Promise<void> {
    const { scope, metadata, blobs } = this.#context;
    await metadata.deleteUpload(scope, held.session.id);
    await blobs.deleteUpload(scope, held.session.id);
  }
}

function held(session: UploadSession, upload: BlobUpload, release: () => void): HeldUpload {
  return {
    session,
    upload,
    [Symbol.asyncDispose]: async () => {
      try {
        await upload[Symbol.asyncDispose]();
      } finally {
        release();
      }
    },
  };
}

function unknownUpload(id: string): Problem {
  return problem(404, "BLOB_UPLOAD_UNKNOWN", "no such upload in this repository", { id: id.slice(0, 64) });
}
