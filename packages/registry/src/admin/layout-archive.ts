// A layout directory as one tar, as `skopeo copy oci-archive:` and `teu load` read it.

import { createReadStream, createWriteStream } from "node:fs";
import { opendir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Scope } from "@teu/base/scope";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";

import { fileError } from "../storage/file-error.ts";

const CHUNK = 1 << 20;

/** Writes the archive; the file appears when it is whole. */
export async function archiveLayout(scope: Scope, directory: string, file: string): Promise<void> {
  const part = `${file}.part`;
  try {
    await pipeline(Readable.from(members(scope, directory)), createWriteStream(part, { flush: true }), {
      signal: scope.signal,
    });
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    scope.check("write archive");
    throw fileError("write archive", file, error);
  }
}

async function* members(scope: Scope, directory: string): AsyncIterable<Uint8Array> {
  for (const name of ["oci-layout", "index.json"]) yield* member(scope, directory, name);
  yield encodeTarHeader(tarEntry({ type: "directory", name: "blobs" }));
  for (const algorithm of await namesIn(path.join(directory, "blobs"))) {
    yield encodeTarHeader(tarEntry({ type: "directory", name: `blobs/${algorithm}` }));
    for (const name of await namesIn(path.join(directory, "blobs", algorithm)))
      yield* member(scope, directory, `blobs/${algorithm}/${name}`);
  }
  yield TAR_END;
}

async function* member(scope: Scope, directory: string, name: string): AsyncIterable<Uint8Array> {
  scope.check("write archive");
  const file = path.join(directory, name);
  const { size } = await stat(file);
  yield encodeTarHeader(tarEntry({ type: "file", name, size, mode: 0o444 }));
  if (size > 0) yield* createReadStream(file, { end: size - 1, highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>;
  const padding = tarPadding(size);
  if (padding.length > 0) yield padding;
}

async function namesIn(directory: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of await opendir(directory)) names.push(name);
  return names.sort();
}
