// pull: download for one platform, unpack what is there while the rest comes, name. The name appears last: an image that has one is whole.

import type { Scope } from "@teu/base/scope";
import { pullImage, type PullResult } from "@teu/distribution/client/pull";
import { lookasideFiles } from "@teu/distribution/signing/lookaside/lookaside-files";
import { policyGate } from "@teu/distribution/signing/policy/policy-gate";
import { registrySubject } from "@teu/distribution/signing/policy/policy-scopes";
import { registryPlace } from "@teu/distribution/signing/signature-place";
import { parsePlatform } from "@teu/image/platform";
import type { Platform } from "@teu/specs/image";
import { type Reference, referenceName, referenceText } from "@teu/image/reference";

import { getImageName, type ImageRow } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import type { PullOptions } from "./images.ts";
import { registerImage, registerIndex } from "./register.ts";
import { isForHere, splitIndex } from "./split-index.ts";
import { policyChoice, registryClient, transferProgress } from "./registry-client.ts";
import { firstMeaning } from "./short-name.ts";
import { type Arrivals, unpackWhile } from "./unpack-early.ts";

/** See `Images.pull`. */
export async function pull(
  scope: Scope,
  context: ImageContext,
  text: string,
  options: PullOptions,
): Promise<{ readonly row: ImageRow; readonly name: string }> {
  return firstMeaning(scope, text, async (reference) => ({
    row: await pullReference(scope, context, reference, options),
    name: referenceText(reference),
  }));
}

async function pullReference(
  scope: Scope,
  context: ImageContext,
  reference: Reference,
  options: PullOptions,
): Promise<ImageRow> {
  const platform = wantedPlatforms(options.platform);
  await using client = registryClient(context, options, reference.domain);
  await using lease = context.hold(scope);
  const progress = transferProgress("download", options.progress);
  const choice = policyChoice(context);
  const approve = await policyGate(
    choice,
    registrySubject(reference, referenceText(reference)),
    registryPlace(client, reference, lookasideFiles(choice.home)),
  );
  const download = (inner: Scope, arrivals: Arrivals): Promise<PullResult> =>
    pullImage(inner, {
      client,
      reference,
      store: lease.content,
      isHere: getImageName(context.db, referenceText(reference)) !== null,
      onImage: (image) => {
        if (platform !== "all" || isForHere(image)) arrivals.manifest(image.document.bytes);
      },
      onBlob: arrivals.blob,
      ...(approve === undefined ? {} : { approve }),
      ...(platform === undefined ? {} : { platform }),
      ...(progress === undefined ? {} : { progress }),
    });
  const { descriptor, manifests } = await unpackWhile(scope, lease, options.progress, download);
  const names = namesOf(reference, descriptor.digest);
  const [only] = manifests;
  if (only !== undefined && only.digest === descriptor.digest)
    return await registerImage(scope, context, lease, { manifest: only, target: descriptor, names });
  const { images, indexes, others } = await splitIndex(scope, lease.content, descriptor);
  return await registerIndex(scope, context, lease, {
    ...(platform === "all" ? { manifests: images, blobs: [...indexes, ...others] } : { manifests, blobs: indexes }),
    target: descriptor,
    names,
  });
}

function wantedPlatforms(
  text: string | readonly string[] | undefined,
): Platform | readonly Platform[] | "all" | undefined {
  if (text === undefined || text === "all") return text;
  return typeof text === "string" ? parsePlatform(text) : text.map(parsePlatform);
}

/** What a pulled or pushed reference leaves: its tag unless a digest was asked for, and the name by digest. */
export function namesOf(reference: Reference, digest: string): string[] {
  const byDigest = `${referenceName(reference)}@${digest}`;
  return reference.digest === undefined ? [referenceText(reference), byDigest] : [byDigest];
}
