// A source whose blobs are seen while they are read, for verbs that read layers instead of copying them.

import type { ImageSource } from "@teu/image/transport/source-and-sink";
import type { Descriptor } from "@teu/specs/image";
import type { TransferEvent } from "../output/transfer-progress.ts";

/** The source, with `root` (unless null) as what its name stands for; `told` is told of what is read of each blob. */
export function watchedSource(
  source: ImageSource,
  root: Descriptor | null,
  told: (event: TransferEvent) => void,
): ImageSource {
  const { name, repository } = source;
  return {
    name,
    ...(repository === undefined ? {} : { repository }),
    resolve: async (scope) => root ?? (await source.resolve(scope)),
    document: (scope, descriptor) => source.document(scope, descriptor),
    async *blob(scope, blob, offset, options) {
      let at = offset;
      for await (const chunk of source.blob(scope, blob, offset, options)) {
        yield chunk;
        at += chunk.length;
        told({ kind: "read", id: blob.digest, current: at, total: blob.size });
      }
    },
    ...(source.file === undefined ? {} : { file: (blob) => source.file?.(blob) ?? "" }),
    ...(source.distrust === undefined
      ? {}
      : { distrust: async (scope, blob) => (await source.distrust?.(scope, blob)) ?? false }),
    ...(source.referrers === undefined
      ? {}
      : { referrers: async (scope, digest) => (await source.referrers?.(scope, digest)) ?? [] }),
    [Symbol.asyncDispose]: async () => {},
  };
}
