// `teu registry verify`: reads everything and compares, while the registry serves. What changes meanwhile is looked at again before
// it is called a fault. Decides nothing and changes nothing, but for what `repair` allows.

import { setTimeout as sleep } from "node:timers/promises";
import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { manifestFacts } from "@teu/distribution/server/manifest-facts";
import type { ListedManifest } from "@teu/distribution/server/metadata-storage";
import type { BlobInfo } from "@teu/image/content-store";
import { createDigester, type Digest, digestAlgorithm, digestOf } from "@teu/image/digest";

import type { OpenRoot } from "./open-root.ts";

/** One thing that is not as it should be. */
export interface Finding {
  /** "error": something acknowledged is damaged or gone. "warning": something is missing or in excess that may be so on purpose. */
  readonly severity: "error" | "warning";
  readonly kind:
    | "index-damaged"
    | "manifest-damaged"
    | "blob-damaged"
    | "blob-missing"
    | "reference-missing"
    | "stray-blob"
    | "stray-upload";
  readonly subject: string;
  readonly message: string;
  /** It was put right. */
  readonly repaired?: boolean;
}

/** What verifying is told. */
export interface VerifyOptions {
  /** Read at most so many bytes of blobs a second; absent: as fast as it goes. */
  readonly rate?: number;
  /** Compare sizes only: reads no blob. */
  readonly quick?: boolean;
  /** Delete files that the index does not know. */
  readonly repair?: boolean;
  /** Waits between two reads, milliseconds. */
  readonly pause?: (milliseconds: number) => Promise<void>;
  /** Called for each finding as it is found. */
  readonly found?: (finding: Finding) => void;
}

/** What was looked at. */
export interface VerifyReport {
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly findings: readonly Finding[];
}

const PAGE = 200;

/** Verifies everything once. @throws TeuError when the storage cannot be read at all. */
export async function verify(scope: Scope, root: OpenRoot, options: VerifyOptions = {}): Promise<VerifyReport> {
  return await new Verification(scope, root, options).run();
}

class Verification {
  readonly #scope: Scope;
  readonly #root: OpenRoot;
  readonly #options: VerifyOptions;
  readonly #findings: Finding[] = [];
  readonly #counts = { manifests: 0, blobs: 0, bytes: 0 };
  readonly #began = performance.now();

  constructor(scope: Scope, root: OpenRoot, options: VerifyOptions) {
    this.#scope = scope;
    this.#root = root;
    this.#options = options;
  }

  async run(): Promise<VerifyReport> {
    for (const text of await this.#root.metadata.faults(this.#scope))
      this.#find("error", "index-damaged", "registry.db", text);
    await this.#manifests();
    await this.#blobs();
    await this.#files();
    return { ...this.#counts, findings: this.#findings };
  }

  #find(
    severity: Finding["severity"],
    kind: Finding["kind"],
    subject: string,
    message: string,
    repaired?: boolean,
  ): void {
    const finding = { severity, kind, subject, message, ...(repaired === undefined ? {} : { repaired }) };
    this.#findings.push(finding);
    this.#options.found?.(finding);
  }

  async #manifests(): Promise<void> {
    const { metadata } = this.#root;
    for (let after: string | null | undefined; after !== null;) {
      const step: { after?: string; limit: number } = { limit: PAGE, ...(after === undefined ? {} : { after }) };
      const { manifests, next } = await metadata.listManifests(this.#scope, step);
      for (const manifest of manifests) await this.#manifest(manifest);
      this.#counts.manifests += manifests.length;
      after = next;
    }
  }

  async #manifest(manifest: ListedManifest): Promise<void> {
    const { repository, digest, bytes, size, mediaType, deletedAt } = manifest;
    const subject = `${repository}@${digest}`;
    const actual = digestOf(bytes, digestAlgorithm(digest) === "sha512" ? "sha512" : "sha256");
    if (actual !== digest || size !== bytes.length) {
      this.#find("error", "manifest-damaged", subject, `its ${bytes.length} bytes have digest ${actual}`);
      return;
    }
    if (deletedAt !== null) return;
    for (const { kind, digest: target, required } of manifestFacts({
      bytes,
      contentType: mediaType,
      digest,
      sparse: false,
    }).references) {
      if (!required || (await this.#has(repository, kind, target))) continue;
      // Deleted a moment ago: then its parts may go.
      if ((await this.#root.metadata.findManifest(this.#scope, repository, { digest })) === null) return;
      this.#find("warning", "reference-missing", subject, `its ${kind} ${target} is not in the repository`);
    }
  }

  async #has(repository: string, kind: "config" | "layer" | "manifest", digest: Digest): Promise<boolean> {
    const { metadata } = this.#root;
    if (kind === "manifest") return (await metadata.findManifest(this.#scope, repository, { digest })) !== null;
    return await metadata.hasBlob(this.#scope, repository, digest);
  }

  async #blobs(): Promise<void> {
    const { metadata } = this.#root;
    for (let after = ""; ;) {
      const blobs = await metadata.listBlobs(this.#scope, { after, limit: PAGE });
      for (const blob of blobs) await this.#blob(blob);
      this.#counts.blobs += blobs.length;
      if (blobs.length < PAGE) return;
      after = blobs.at(-1)?.digest ?? "";
    }
  }

  async #blob({ digest, size }: BlobInfo): Promise<void> {
    const { blobs, metadata } = this.#root;
    const linked = async (): Promise<boolean> => (await metadata.blobState(this.#scope, digest)) === "linked";
    await using blob = await blobs.open(this.#scope, digest);
    if (blob === null) {
      // An orphan without a file is what a crash while freeing leaves; nothing can reach it.
      if (!(await linked())) return;
      await using again = await blobs.open(this.#scope, digest);
      if (again === null && (await linked())) this.#find("error", "blob-missing", digest, "there is no file");
      return;
    }
    if (blob.size !== size) {
      this.#find("error", "blob-damaged", digest, `the file has ${blob.size} bytes, the index says ${size}`);
      return;
    }
    if (this.#options.quick === true) return;
    const digester = createDigester(digestAlgorithm(digest));
    try {
      for await (const chunk of blob.read(this.#scope, { start: 0, end: size })) {
        digester.update(chunk);
        await this.#pace(chunk.length);
      }
    } catch (error) {
      if (!(error instanceof TeuError) || error.code === "cancelled" || error.code === "timeout") throw error;
      this.#find("error", "blob-damaged", digest, `it cannot be read: ${error.message}`);
      return;
    }
    const actual = digester.digest();
    if (actual !== digest) this.#find("error", "blob-damaged", digest, `its content has digest ${actual}`);
  }

  async #pace(bytes: number): Promise<void> {
    this.#counts.bytes += bytes;
    const { rate, pause = sleep } = this.#options;
    if (rate === undefined) return;
    const ahead = (this.#counts.bytes / rate) * 1000 - (performance.now() - this.#began);
    if (ahead > 5) await pause(ahead);
    this.#scope.check("verify registry");
  }

  async #files(): Promise<void> {
    const { blobs, metadata } = this.#root;
    const repair = this.#options.repair === true;
    for await (const digest of blobs.list(this.#scope)) {
      if ((await metadata.blobState(this.#scope, digest)) !== null) continue;
      const size = (await blobs.stat(this.#scope, digest))?.size ?? 0;
      // Once more as one transaction: an upload claims a blob before its file appears, so this is nobody's.
      const stray = await metadata.forgetStray(this.#scope, digest, () => !repair || blobs.retire(digest));
      if (stray)
        this.#find("warning", "stray-blob", digest, `the index does not know this file of ${size} bytes`, repair);
    }
    for await (const id of blobs.listUploads(this.#scope)) {
      if (await metadata.hasUpload(this.#scope, id)) continue;
      if ((await blobs.uploadSize(this.#scope, id)) === null) continue;
      if (repair) await blobs.deleteUpload(this.#scope, id);
      this.#find("warning", "stray-upload", id, "the index does not know this upload", repair);
    }
    if (repair) await blobs.freeRetired(this.#scope);
  }
}
