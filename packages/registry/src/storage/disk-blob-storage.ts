// Blobs as files. Layout below the root:
//   blobs/<algorithm>/<encoded>   whole and verified; the same form as in an OCI layout
//   uploads/<id>                  being received; survives restarts
//   trash/<any>                   taken from blobs/ by rename, to be freed
//   ballast                       room that cleaning gets on a full disk
// A file appears under blobs/ by rename, after its content was synced; both directories are synced before success is reported.

import { randomUUID } from "node:crypto";
import { constants, renameSync } from "node:fs";
import { access, open, opendir, rename, rm, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { BlobStorage, BlobUpload, OpenBlob } from "@teu/distribution/server/blob-storage";
import { makeDirectory } from "@teu/files/make-directory";
import type { BlobInfo } from "@teu/image/content-store";
import { type Digest, digestAlgorithm, digestEncoded, isDigest } from "@teu/image/digest";

import { bringFile } from "./bring-file.ts";
import { DiskOpenBlob } from "./disk-open-blob.ts";
import { DiskRoom, dropBallast, layBallast } from "./disk-room.ts";
import { DiskUpload, syncDirectory, type UploadHash } from "./disk-upload.ts";
import { fileError, isErrno } from "./file-error.ts";
import { ReadBuffers } from "./read-buffers.ts";

/** How many uploads keep their hash between requests; the others are read again at their end. */
const KEPT_HASHES = 10_000;
const ALGORITHMS = ["sha256", "sha512"];

/** The disk implementation of the blob contract. Open files belong to what was opened, not to it. */
export class DiskBlobStorage implements BlobStorage {
  readonly #root: string;
  readonly #buffers: ReadBuffers = new ReadBuffers();
  readonly #hashes: Map<string, UploadHash> = new Map();
  readonly #room: DiskRoom;

  private constructor(root: string) {
    this.#root = root;
    this.#room = DiskRoom.of(root);
  }

  /**
   * Opens or makes the directories below `root`.
   * @throws TeuError `denied` when it cannot be written.
   */
  static async open(scope: Scope, root: string): Promise<DiskBlobStorage> {
    scope.check("open blob storage");
    try {
      for (const name of ["blobs/sha256", "blobs/sha512", "uploads", "trash"])
        makeDirectory(path.join(root, name), 0o700);
      await access(path.join(root, "uploads"), constants.W_OK | constants.X_OK);
    } catch (error) {
      throw fileError("open blob storage", root, error);
    }
    return new DiskBlobStorage(root);
  }

  async stat(scope: Scope, digest: Digest): Promise<BlobInfo | null> {
    scope.check("look up blob");
    try {
      return { digest, size: (await stat(this.#blobPath(digest))).size };
    } catch (error) {
      if (isErrno(error, "ENOENT")) return null;
      throw fileError("look up blob", digest, error);
    }
  }

  async open(scope: Scope, digest: Digest): Promise<OpenBlob | null> {
    scope.check("open blob");
    try {
      const file = await open(this.#blobPath(digest), constants.O_RDONLY | constants.O_NOFOLLOW);
      return new DiskOpenBlob(digest, file, (await file.stat()).size, this.#buffers);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return null;
      throw fileError("open blob", digest, error);
    }
  }

  // A rename takes microseconds whatever the size of the file.
  retire(digest: Digest): boolean {
    try {
      renameSync(this.#blobPath(digest), path.join(this.#root, "trash", randomUUID()));
      return true;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return false;
      throw fileError("delete blob", digest, error);
    }
  }

  async freeRetired(scope: Scope): Promise<void> {
    const trash = path.join(this.#root, "trash");
    for await (const name of entriesOf(trash)) {
      scope.check("free blobs");
      await removeFile("free blob", path.join(trash, name));
    }
  }

  checkRoom(bytes: number): void {
    this.#room.take(bytes);
  }

  async makeRoom(scope: Scope): Promise<void> {
    scope.check("make room");
    await this.#ballast(dropBallast);
  }

  async keepRoom(scope: Scope): Promise<void> {
    scope.check("keep room");
    await this.#ballast(layBallast);
  }

  async *list(scope: Scope): AsyncIterable<Digest> {
    for (const algorithm of ALGORITHMS) {
      for await (const name of entriesOf(path.join(this.#root, "blobs", algorithm))) {
        scope.check("list blobs");
        const digest = `${algorithm}:${name}`;
        if (isDigest(digest)) yield digest;
      }
    }
  }

  async createUpload(scope: Scope, id: string, algorithm: string = "sha256"): Promise<BlobUpload> {
    scope.check("begin upload");
    return this.#openUpload(id, constants.O_CREAT | constants.O_EXCL, algorithm);
  }

  async openUpload(scope: Scope, id: string, algorithm: string = "sha256"): Promise<BlobUpload> {
    scope.check("continue upload");
    return this.#openUpload(id, 0, algorithm);
  }

  async uploadSize(scope: Scope, id: string): Promise<number | null> {
    scope.check("look up upload");
    try {
      return (await stat(this.#uploadPath(id))).size;
    } catch (error) {
      if (isErrno(error, "ENOENT")) return null;
      throw fileError("look up upload", id, error);
    }
  }

  async deleteUpload(scope: Scope, id: string): Promise<boolean> {
    scope.check("delete upload");
    this.#hashes.delete(id);
    return removeFile("delete upload", this.#uploadPath(id));
  }

  async *listUploads(scope: Scope): AsyncIterable<string> {
    for await (const name of entriesOf(path.join(this.#root, "uploads"))) {
      scope.check("list uploads");
      yield name;
    }
  }

  /** Where a blob's file is, or would be. Reading it is everybody's, changing it nobody's. */
  pathOf(digest: Digest): string {
    return this.#blobPath(digest);
  }

  /**
   * Makes an upload of a file's content, not verified yet: a copy, which shares its blocks where the file system can, or with `link`
   * a hard link where it can.
   * @throws TeuError `not-found`, `already-exists`, `exhausted`.
   */
  async adopt(scope: Scope, id: string, file: string, options: { readonly link: boolean }): Promise<void> {
    scope.check("adopt file");
    const upload = this.#uploadPath(id);
    try {
      await bringFile(file, upload, { ...options, mode: 0o600 });
    } catch (error) {
      if (!isErrno(error, "EEXIST")) await removeFile("adopt file", upload);
      throw fileError("adopt file", file, error);
    }
  }

  /** Makes the names of all blobs durable, after they were put there by others. */
  async sync(): Promise<void> {
    for (const algorithm of ALGORITHMS) await syncDirectory(path.join(this.#root, "blobs", algorithm));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hashes.clear();
  }

  async #openUpload(id: string, flags: number, algorithm: string): Promise<BlobUpload> {
    const file = this.#uploadPath(id);
    try {
      const handle = await open(file, constants.O_RDWR | constants.O_NOFOLLOW | flags, 0o600);
      const size = flags === 0 ? (await handle.stat()).size : 0;
      return new DiskUpload(id, handle, size, this.#hashes.get(id), algorithm, {
        takeRoom: (bytes) => this.#room.take(bytes),
        publish: (digest) => this.#publish(file, digest),
        discard: () => removeFile("delete upload", file),
        keep: (hash) => this.#keepHash(id, hash),
      });
    } catch (error) {
      throw fileError(flags === 0 ? "continue upload" : "begin upload", id, error);
    }
  }

  async #ballast(work: typeof layBallast): Promise<void> {
    const file = path.join(this.#root, "ballast");
    try {
      await work(this.#root, file);
    } catch (error) {
      throw fileError("keep room", file, error);
    }
  }

  #keepHash(id: string, hash: UploadHash | null): void {
    this.#hashes.delete(id);
    if (hash === null) return;
    this.#hashes.set(id, hash);
    const [oldest] = this.#hashes.keys();
    if (this.#hashes.size > KEPT_HASHES && oldest !== undefined) this.#hashes.delete(oldest);
  }

  async #publish(upload: string, digest: Digest): Promise<void> {
    const target = this.#blobPath(digest);
    await rename(upload, target);
    await syncDirectory(path.dirname(target));
  }

  // A parsed digest has no "/" and no ".." (CVE-2024-3727).
  #blobPath(digest: Digest): string {
    return path.join(this.#root, "blobs", digestAlgorithm(digest), digestEncoded(digest));
  }

  #uploadPath(id: string): string {
    if (!/^[A-Za-z0-9-]{1,64}$/.test(id)) {
      throw new TeuError({
        code: "invalid",
        op: "use upload",
        subject: id.slice(0, 100),
        message: "an upload id has letters, digits and dashes",
      });
    }
    return path.join(this.#root, "uploads", id);
  }
}

/** Proves that files can be written below `root`. @throws TeuError `denied`, `exhausted`. */
export async function checkWritable(root: string): Promise<void> {
  const probe = path.join(root, `.probe-${randomUUID()}`);
  try {
    makeDirectory(root, 0o700);
    await (await open(probe, "wx", 0o600)).close();
    await rm(probe);
  } catch (error) {
    throw fileError("use registry root", root, error);
  }
}

async function removeFile(op: string, file: string): Promise<boolean> {
  try {
    await unlink(file);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw fileError(op, path.basename(file), error);
  }
}

async function* entriesOf(directory: string): AsyncIterable<string> {
  for await (const entry of await opendir(directory)) if (entry.isFile()) yield entry.name;
}
