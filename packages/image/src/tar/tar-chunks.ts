// From the headers and contents of entries, as they are made one by one, to an archive in chunks worth handing on.

import type { Scope } from "@teu/base/scope";

import { TAR_END } from "./writer.ts";

/** About the size of a chunk; a longer piece passes whole. */
const CHUNK = 512 << 10;

/**
 * `pieces` and the archive's end, in chunks that belong to the reader. Pieces are gathered: the bytes of one must stay as they are
 * when the next is made.
 * @throws TeuError `cancelled`, `timeout`, with `op`.
 */
export async function* tarChunks(scope: Scope, op: string, pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for (const bytes of pieces) {
    scope.check(op);
    parts.push(bytes);
    size += bytes.length;
    if (size < CHUNK) continue;
    yield Buffer.concat(parts, size);
    parts = [];
    size = 0;
  }
  yield Buffer.concat([...parts, TAR_END]);
}
