// An image in skopeo's directory format (`dir:`): manifest.json, <hex>.manifest.json for the manifests of an index, <hex> for
// blobs, and a version. One image, no names, media types only inside the documents.

import { constants } from "node:fs";
import { open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";
import { makeDirectory } from "@teu/files/make-directory";
import { readBuffer } from "@teu/files/read-buffer";
import { replaceFile } from "@teu/files/replace-file";
import { DOCUMENT_LIMITS } from "@teu/specs/image";
import { randomHex } from "@teu/files/random";

import { type Digest, digestEncoded, digestOf, parseDigest } from "../digest.ts";
import { BlobVerifier } from "../verified-stream.ts";
import { documentType } from "./document-type.ts";
import type { BlobIdentity, BlobOutcome, ImageDocument, ImageSink, ImageSource, OpenBlob } from "./source-and-sink.ts";

const MANIFEST = "manifest.json";
const VERSION = "version";
const VERSION_TEXT = "Directory Transport Version: 1.1\n";
const CHUNK = 1 << 20;
/** What the format knows: everything else in a directory is somebody's. */
const OWN_FILE =
  /^(?:version|manifest\.json|[a-f0-9]{64}(?:[a-f0-9]{64})?(?:\.manifest\.json)?|(?:[a-f0-9]{64}\.)?signature-[0-9]+)$/;
const LEFT_OVER = /^\.(?:[a-f0-9]+(?:\.manifest\.json)?|manifest\.json|version)\.[a-f0-9]{12}$/;

/** The image in a directory. */
export function directorySource(name: string, directory: string): ImageSource {
  return {
    name,
    resolve: async (scope) => {
      scope.check("read image directory");
      const bytes = await readLimited(join(directory, MANIFEST), DOCUMENT_LIMITS.manifest);
      return { mediaType: documentType(name, bytes), digest: digestOf(bytes), size: bytes.length };
    },
    document: async (scope, descriptor) => {
      scope.check("read image directory");
      const digest = parseDigest(descriptor.digest);
      const own = await readLimited(join(directory, documentFile(digest)), descriptor.size).catch(nullIfAbsent);
      if (own !== null) return own;
      const root = await readLimited(join(directory, MANIFEST), DOCUMENT_LIMITS.manifest);
      if (isDigestOf(root, digest)) return root;
      throw new TeuError({
        code: "not-found",
        op: "read image directory",
        subject: digest,
        message: "no such manifest",
      });
    },
    async *blob(scope, blob, offset) {
      yield* readFrom(scope, join(directory, blobFile(blob.digest)), offset);
    },
    signature: async (scope, digest, number, limit) => {
      scope.check("read image directory");
      const root = await readLimited(join(directory, MANIFEST), DOCUMENT_LIMITS.manifest);
      const isRoot = isDigestOf(root, digest);
      const file = isRoot ? `signature-${number}` : `${blobFile(digest)}.signature-${number}`;
      return readLimited(join(directory, file), limit).catch(nullIfAbsent);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/**
 * A directory for one image, made when missing. What an earlier copy left there is replaced, anything else refused.
 * @throws TeuError `conflict` when the directory holds something else.
 */
export async function directorySink(name: string, directory: string): Promise<ImageSink> {
  try {
    makeDirectory(directory, 0o777);
    const entries = await readdir(directory);
    const foreign = entries.filter((entry) => !OWN_FILE.test(entry) && !LEFT_OVER.test(entry));
    const ours =
      entries.every((entry) => LEFT_OVER.test(entry)) ||
      (await versionOf(directory)).startsWith("Directory Transport Version: ");
    if (foreign.length > 0 || !ours)
      throw new TeuError({
        code: "conflict",
        op: "write image directory",
        subject: directory,
        message: `it is not empty and no image directory${foreign[0] === undefined ? "" : `: it holds ${JSON.stringify(foreign[0].slice(0, 100))}`}`,
        hint: "name a directory that is empty or does not exist",
      });
    await replaceFile(join(directory, VERSION), VERSION_TEXT, { mode: 0o644 });
  } catch (error) {
    throw fileError("write image directory", directory, error);
  }
  return new DirectorySink(name, directory);
}

class DirectorySink implements ImageSink {
  readonly name: string;
  readonly noReferrers = "a directory holds one image only";
  readonly #directory: string;
  readonly #kept = new Set<string>([VERSION, MANIFEST]);

  constructor(name: string, directory: string) {
    this.name = name;
    this.#directory = directory;
  }

  async putBlob(
    scope: Scope,
    blob: BlobIdentity,
    open: OpenBlob,
    progress: (offset: number) => void,
  ): Promise<BlobOutcome> {
    const file = blobFile(blob.digest);
    this.#kept.add(file);
    if (await isVerified(scope, join(this.#directory, file), blob)) return "present";
    await writeVerified(scope, join(this.#directory, file), blob, open, progress);
    return "copied";
  }

  async putDocument(_: Scope, { descriptor, bytes }: ImageDocument): Promise<void> {
    const file = documentFile(descriptor.digest);
    this.#kept.add(file);
    await replaceFile(join(this.#directory, file), bytes, { mode: 0o644 });
  }

  async finish(scope: Scope, root: ImageDocument): Promise<void> {
    scope.check("write image directory");
    await replaceFile(join(this.#directory, MANIFEST), root.bytes, { mode: 0o644 });
    for (const entry of await readdir(this.#directory)) {
      // Parts of the image that was here before, and what interrupted copies left.
      if (!this.#kept.has(entry) && (OWN_FILE.test(entry) || LEFT_OVER.test(entry)))
        await unlink(join(this.#directory, entry));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The format names files by the encoded part alone: of two algorithms only, or "sha9:version" would be the version. */
function blobFile(digest: Digest): string {
  if (/^sha(?:256|512):/.test(digest)) return digestEncoded(digest);
  throw new TeuError({
    code: "unsupported",
    op: "use image directory",
    subject: digest,
    message: "the format knows sha256 and sha512 only",
  });
}

function documentFile(digest: Digest): string {
  return `${blobFile(digest)}.manifest.json`;
}

function isDigestOf(bytes: Uint8Array, digest: Digest): boolean {
  return digestOf(bytes, digest.startsWith("sha512:") ? "sha512" : "sha256") === digest;
}

async function versionOf(directory: string): Promise<string> {
  const bytes = await readLimited(join(directory, VERSION), 200).catch(nullIfAbsent);
  return bytes === null ? "" : Buffer.from(bytes).toString("latin1");
}

async function isVerified(scope: Scope, path: string, blob: BlobIdentity): Promise<boolean> {
  const verifier = new BlobVerifier("read blob", blob);
  try {
    for await (const chunk of readFrom(scope, path, 0)) verifier.update(chunk);
    verifier.finish();
    return true;
  } catch (error) {
    // Absent, or left half written by something else: written anew.
    scope.check("read blob");
    if (error instanceof TeuError && (error.code === "not-found" || error.code === "corrupt")) return false;
    throw error;
  }
}

async function writeVerified(
  scope: Scope,
  path: string,
  blob: BlobIdentity,
  openBlob: OpenBlob,
  progress: (offset: number) => void,
): Promise<void> {
  // Named as `replaceFile` names its own: the next copy finds and removes it.
  const temp = join(path, "..", `.${digestEncoded(blob.digest)}.${randomHex(6)}`);
  try {
    await using file = await open(temp, "wx", 0o644);
    let at = 0;
    progress(0);
    for await (const chunk of openBlob(0)) {
      scope.check("write blob");
      await file.writeFile(chunk);
      at += chunk.length;
      progress(at);
    }
    await file.sync();
    await rename(temp, path);
  } catch (error) {
    await unlink(temp).catch(nullIfAbsent);
    throw fileError("write blob", path, error);
  }
}

async function* readFrom(scope: Scope, path: string, offset: number): AsyncIterable<Uint8Array> {
  try {
    await using file = await openRegular(path);
    for (let at = offset; ;) {
      scope.check("read blob");
      const { bytesRead, buffer } = await file.read(readBuffer(CHUNK), 0, CHUNK, at);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } catch (error) {
    throw fileError("read blob", path, error);
  }
}

async function readLimited(path: string, limit: number): Promise<Uint8Array> {
  try {
    await using file = await openRegular(path);
    const { size } = await file.stat();
    if (size <= limit) return await readFile(file);
    throw new TeuError({
      code: "exhausted",
      op: "read image directory",
      subject: path,
      message: `${size} bytes, limit is ${limit}`,
    });
  } catch (error) {
    throw fileError("read image directory", path, error);
  }
}

async function openRegular(path: string): Promise<Awaited<ReturnType<typeof open>>> {
  // O_NONBLOCK: a fifo would wait for a writer, and a device may never end.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new TeuError({
    code: "invalid",
    op: "read image directory",
    subject: path,
    message: "it is not a regular file",
  });
}

function nullIfAbsent(error: unknown): null {
  if (error instanceof TeuError ? error.code === "not-found" : (error as { code?: unknown }).code === "ENOENT")
    return null;
  throw error;
}
