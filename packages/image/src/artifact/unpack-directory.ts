// Takes the tar of a packed directory apart: contents of files into numbered files of a working directory, everything else into a list.
// No name of the archive touches the file system here; where things go is decided when all of it was verified.

import { closeSync, ftruncateSync, linkSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { fileError } from "@teu/files/addon";

import { decompress } from "../compression/decompress.ts";
import { createPoolDigester, type Digest } from "../digest.ts";
import { DEFAULT_LAYER_LIMITS } from "../layer/limits.ts";
import type { TarEntry } from "../tar/entry.ts";
import { TarReader, type TarSink } from "../tar/reader.ts";
import { checkLinkTarget, nameParts } from "./file-names.ts";

const OP = "unpack directory";

/** What goes where, in the archive's order. */
export type UnpackedEntry =
  | { readonly kind: "directory"; readonly parts: readonly string[] }
  | {
      readonly kind: "file";
      readonly parts: readonly string[];
      /** Where its content is. */
      readonly content: string;
      readonly mode: number;
      /** Seconds since 1970. */
      readonly mtime: number;
    }
  | { readonly kind: "symlink"; readonly parts: readonly string[]; readonly target: string };

/** A directory taken apart. */
export interface UnpackedDirectory {
  readonly entries: readonly UnpackedEntry[];
  /** Of the uncompressed tar. */
  readonly digest: Digest;
}

/**
 * Takes an archive apart. `parts`: what every name in it must begin with.
 * @throws TeuError `invalid` for names and links that lead elsewhere and for entries of other types, `corrupt`, `exhausted` beyond limits.
 */
export async function unpackDirectory(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  parts: readonly string[],
  workplace: string,
): Promise<UnpackedDirectory> {
  using sink = new UnpackSink(parts, workplace);
  const reader = new TarReader(sink, DEFAULT_LAYER_LIMITS);
  const digester = createPoolDigester();
  try {
    for await (const chunk of decompress(scope, source, DEFAULT_LAYER_LIMITS)) {
      const hashed = digester.update(chunk);
      try {
        reader.write(chunk);
      } finally {
        await hashed;
      }
    }
    reader.end();
  } catch (error) {
    throw fileError(OP, parts.join("/"), error);
  }
  return { entries: sink.entries, digest: digester.digest() };
}

class UnpackSink implements TarSink, Disposable {
  readonly entries: UnpackedEntry[] = [];
  readonly #top: readonly string[];
  readonly #workplace: string;
  readonly #seen = new Map<string, UnpackedEntry["kind"]>();
  readonly #contents = new Map<string, string>();
  #fd = -1;
  #size = 0;

  constructor(top: readonly string[], workplace: string) {
    this.#top = top;
    this.#workplace = workplace;
  }

  entry(entry: TarEntry): void {
    const parts = this.#placeOf(entry.name);
    const name = parts.join("/");
    const before = this.#seen.get(name);
    // A directory may come again, with its parents' entries behind it.
    if (before !== undefined && !(before === "directory" && entry.type === "directory"))
      throw this.#fault(name, "it is in the archive twice");
    switch (entry.type) {
      case "directory":
        this.#add({ kind: "directory", parts });
        return;
      case "file":
        this.#size = entry.size;
        this.#file(parts, entry, (content) => void (this.#fd = openSync(content, "wx", 0o600)));
        return;
      case "symlink":
        this.#add({ kind: "symlink", parts, target: checkLinkTarget(OP, parts, this.#top.length, entry.linkName) });
        return;
      case "hardlink": {
        const target = this.#contents.get(this.#placeOf(entry.linkName).join("/"));
        if (target === undefined) throw this.#fault(name, "a hard link to what is no file before it");
        this.#file(parts, entry, (content) => linkSync(target, content));
        return;
      }
      default:
        throw this.#fault(name, `a ${entry.type} device or pipe is not for artifacts`);
    }
  }

  data(chunk: Uint8Array, offset: number): void {
    for (let done = 0; done < chunk.length;)
      done += writeSync(this.#fd, chunk, done, chunk.length - done, offset + done);
  }

  endEntry(): void {
    if (this.#fd < 0) return;
    // Holes at the end are nobody's data.
    ftruncateSync(this.#fd, this.#size);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  #file(parts: readonly string[], { mode, mtimeNs }: TarEntry, make: (content: string) => void): void {
    const content = join(this.#workplace, String(this.entries.length));
    make(content);
    this.#contents.set(parts.join("/"), content);
    this.#add({ kind: "file", parts, content, mode: mode & 0o777, mtime: Number(mtimeNs / 1_000_000n) / 1000 });
  }

  #add(entry: UnpackedEntry): void {
    this.#seen.set(entry.parts.join("/"), entry.kind);
    this.entries.push(entry);
  }

  #placeOf(name: string): readonly string[] {
    const parts = nameParts(OP, name);
    if (this.#top.every((part, index) => parts[index] === part)) return parts;
    throw this.#fault(name, `it is not below ${this.#top.join("/")}`);
  }

  #fault(name: string, message: string): TeuError {
    return new TeuError({ code: "invalid", op: OP, subject: JSON.stringify(name.slice(0, 200)), message });
  }
}
