// A tar made of another one, entry by entry: other names, owners, times. Contents pass as they are.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import type { TarEntry } from "./entry.ts";
import { type TarLimits, TarReader } from "./reader.ts";
import { encodeTarHeader, TAR_END, tarPadding } from "./writer.ts";

/**
 * The tar with every entry as `change` gives it back; null leaves it out. Size and type must stay.
 * @throws TeuError as `TarReader`; `unsupported` for sparse files.
 */
export async function* rewriteTar(
  scope: Scope,
  source: AsyncIterable<Uint8Array>,
  change: (entry: TarEntry) => TarEntry | null,
  limits: TarLimits = {},
): AsyncIterable<Uint8Array> {
  let out: Uint8Array[] = [];
  let padding: Uint8Array | null = null;
  const reader = new TarReader(
    {
      entry: (entry) => {
        const changed = change(entry);
        padding = changed === null ? null : tarPadding(changed.type === "file" ? changed.size : 0);
        if (changed === null) return;
        if (changed.sparse !== null) throw sparse(entry);
        out.push(encodeTarHeader(changed));
      },
      data: (data) => {
        if (padding !== null) out.push(data);
      },
      endEntry: () => {
        if (padding !== null && padding.length > 0) out.push(padding);
      },
    },
    limits,
  );
  for await (const chunk of source) {
    scope.check("rewrite tar");
    reader.write(chunk);
    const ready = out;
    out = [];
    // Copied: views of the chunk are valid until the next one only.
    if (ready.length > 0) yield Buffer.concat(ready);
  }
  reader.end();
  if (out.length > 0) yield Buffer.concat(out);
  yield TAR_END;
}

function sparse({ name }: TarEntry): TeuError {
  return new TeuError({ code: "unsupported", op: "rewrite tar", subject: name, message: "it is a sparse file" });
}
