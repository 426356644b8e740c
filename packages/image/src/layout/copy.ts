// Copies everything an image refers to from one place of blobs to another, children before parents, verified.

import type { Scope } from "@teu/base/scope";
import type { Descriptor } from "@teu/specs/image";

import type { ContentStore } from "../content-store.ts";
import { type Digest, parseDigest } from "../digest.ts";
import { walkDescriptors } from "../documents.ts";

/** How a copy is made. */
export interface CopyOptions {
  /** Leave out manifests that the source does not have, as in an index of which one platform was pulled. */
  readonly sparse?: boolean;
}

/**
 * Copies an image between stores; blobs that are there are left alone.
 * @throws TeuError `not-found` when something is missing in the source, `corrupt` when a blob is not what its digest says.
 */
export async function copyImage(
  scope: Scope,
  from: ContentStore,
  to: ContentStore,
  root: Descriptor,
  options: CopyOptions = {},
): Promise<void> {
  for (const descriptor of await walkDescriptors(scope, from, root, options)) {
    await copyBlob(scope, from, to, parseDigest(descriptor.digest), descriptor.size);
  }
}

/** Copies one blob. */
export async function copyBlob(
  scope: Scope,
  from: ContentStore,
  to: ContentStore,
  digest: Digest,
  size: number,
): Promise<void> {
  if ((await to.info(scope, digest)) !== null) return;
  await using ingest = await to.ingest(scope, digest, { digest, size });
  for await (const chunk of from.read(scope, digest)) await ingest.write(chunk);
  await ingest.commit();
}
