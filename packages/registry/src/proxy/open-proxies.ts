// Puts the upstreams of a registry together; nothing when there are none.

import type { BlobStorage } from "@teu/distribution/server/blob-storage";
import type { MetadataStorage } from "@teu/distribution/server/metadata-storage";

import { PullThrough, type PullThroughCounts } from "./pull-through.ts";
import { pullThroughBlobs, pullThroughMetadata } from "./pull-through-metadata.ts";
import { localName, type ProxyOptions } from "./proxy-options.ts";
import { Upstream } from "./upstream.ts";

/** What the handler is given. */
export interface OpenProxies extends AsyncDisposable {
  readonly blobs: BlobStorage;
  readonly metadata: MetadataStorage;
  /** Absent when there are none. */
  readonly counts?: PullThroughCounts;
  readonly locate?: (repository: string, namespace: string) => string;
}

/** Opens them. @throws TeuError as `Upstream.open`. */
export async function openProxies(
  proxies: readonly ProxyOptions[],
  storages: { readonly blobs: BlobStorage; readonly metadata: MetadataStorage },
): Promise<OpenProxies> {
  if (proxies.length === 0) return { ...storages, [Symbol.asyncDispose]: async () => {} };
  await using undo = new AsyncDisposableStack();
  const upstreams: Upstream[] = [];
  for (const one of proxies) upstreams.push(undo.use(await Upstream.open(one)));
  const through = undo.use(new PullThrough({ ...storages, upstreams }));
  const held = undo.move();
  return {
    blobs: pullThroughBlobs(storages.blobs, through),
    metadata: pullThroughMetadata(storages.metadata, through),
    counts: through.counts,
    locate: (repository, namespace) => localName(proxies, repository, namespace),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
