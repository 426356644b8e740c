// push: what the name stands for, whole; of an index that is here only in part, or when one is asked for, one platform's manifest.

import type { Scope } from "@teu/base/scope";
import { pushImage } from "@teu/distribution/client/push";
import { parseDigest } from "@teu/image/digest";
import { parsePlatform } from "@teu/image/platform";
import { parseReference, type Reference, referenceName, referenceText } from "@teu/image/reference";
import { type Descriptor, DOCUMENT_LIMITS, MEDIA_TYPES, parseIndex } from "@teu/specs/image";

import type { HeldLease } from "../store/hold-lease.ts";
import { getImageName, listImageNames, putImageName } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { findImage, imagesOfName } from "./find.ts";
import type { PushOptions } from "./images.ts";
import { registryClient, transferProgress } from "./registry-client.ts";

/** See `Images.push`. */
export async function push(
  scope: Scope,
  context: ImageContext,
  text: string,
  options: PushOptions,
): Promise<Descriptor> {
  const reference = parseReference(text);
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const { row, name } = findImage(context.db, referenceText(reference), platform);
  await using client = registryClient(context, options, reference.domain);
  await using lease = context.hold(scope);
  const target = platform === undefined ? (name?.target ?? row.manifest) : row.manifest;
  const descriptor = (await isWhole(scope, lease, target)) ? target : row.manifest;
  const progress = transferProgress("upload", options.progress);
  await pushImage(scope, {
    client,
    reference,
    store: lease.content,
    descriptor,
    ...mountFrom(context, row.id, reference),
    ...(progress === undefined ? {} : { progress }),
  });
  const byDigest = `${referenceName(reference)}@${descriptor.digest}`;
  context.db.transaction(() => {
    // Only while the image still has the name: an image that was removed meanwhile does not come back.
    const named = getImageName(context.db, referenceText(reference));
    if (named !== null && imagesOfName(context.db, named).some(({ id }) => id === row.id))
      putImageName(context.db, byDigest, row.id, descriptor, scope.now());
  });
  options.progress?.({ kind: "done", id: descriptor.digest, total: descriptor.size });
  return descriptor;
}

/** Another name that the image has on the same registry: what was pulled from there, or pushed to it, need not be sent. */
function mountFrom(context: ImageContext, id: string, { domain, repository }: Reference): { mountFrom?: Reference } {
  const names = listImageNames(context.db, id).map(({ name }) => parseReference(name));
  // A name with a digest came by a pull or a push: others may be mere wishes.
  const others = names.filter((name) => name.domain === domain && name.repository !== repository);
  const found = others.find(({ digest }) => digest !== undefined) ?? others[0];
  return found === undefined ? {} : { mountFrom: found };
}

const INDEXES: readonly string[] = [MEDIA_TYPES.index, MEDIA_TYPES.dockerManifestList];

async function isWhole(scope: Scope, lease: HeldLease, target: Descriptor): Promise<boolean> {
  if (!INDEXES.includes(target.mediaType)) return true;
  const index = parseIndex(await lease.content.readAll(scope, parseDigest(target.digest), DOCUMENT_LIMITS.index));
  for (const manifest of index.manifests) {
    if ((await lease.content.info(scope, parseDigest(manifest.digest))) === null) return false;
  }
  return true;
}
