// Layers for benchmarks: files of words, which compress about as programs and texts do (to a third), and never the same twice.

import { createHash } from "node:crypto";

import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";

const ENTRIES_PER_DIRECTORY = 20;

/** A tar of files below `name`, `bytes` each, twenty to a directory. The same name gives the same bytes. */
export async function* layerOfWords(name: string, files: number, bytes: number): AsyncIterable<Uint8Array> {
  for (let index = 0; index < files; index++) {
    const directory = `${name}/${Math.floor(index / ENTRIES_PER_DIRECTORY)}`;
    const parts: Uint8Array[] = [];
    if (index === 0) parts.push(encodeTarHeader(tarEntry({ type: "directory", name, mode: 0o755 })));
    if (index % ENTRIES_PER_DIRECTORY === 0)
      parts.push(encodeTarHeader(tarEntry({ type: "directory", name: directory, mode: 0o755 })));
    const content = words(`${name}/${index}`, bytes);
    const entry = tarEntry({ type: "file", name: `${directory}/file-${index}`, size: bytes, mode: 0o644 });
    parts.push(encodeTarHeader(entry), content, tarPadding(bytes));
    yield Buffer.concat(parts);
  }
  yield TAR_END;
}

/** A number for each of 4,096 words: what the hash says decides which follow each other. */
const VOCABULARY = Array.from({ length: 4096 }, (_, index) => {
  const hash = createHash("sha256")
    .update(`word ${index}`)
    .digest("base64")
    .replace(/[^a-z]/gi, "");
  return Buffer.from(`${hash.slice(0, 3 + (index % 7))} `);
});

function words(seed: string, length: number): Buffer {
  const out = Buffer.alloc(length);
  for (let at = 0, block = 0; at < length; block++) {
    const hash = createHash("sha512").update(`${seed}:${block}`).digest();
    for (let i = 0; i < hash.length && at < length; i += 2) at += vocabulary(hash.readUInt16LE(i)).copy(out, at);
  }
  return out;
}

function vocabulary(number: number): Buffer {
  return VOCABULARY[number % VOCABULARY.length] as Buffer;
}
