// pull: download for one platform, unpack what is there while the rest comes, name. The name appears last: an image that has one is whole.

import type { Scope } from "@teu/base/scope";
import { pullImage, type PullResult } from "@teu/distribution/client/pull";
import { policyGate } from "@teu/distribution/signing/policy/policy-gate";
import { registrySubject } from "@teu/distribution/signing/policy/policy-scopes";
import { registryPlace } from "@teu/distribution/signing/signature-place";
import { parsePlatform } from "@teu/image/platform";
import { type Reference, referenceName, referenceText } from "@teu/image/reference";

import { getImageName, type ImageRow } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import type { PullOptions } from "./images.ts";
import { registerImage } from "./register.ts";
import { policyChoice, registryClient, transferProgress } from "./registry-client.ts";
import { firstMeaning } from "./short-name.ts";
import { type Arrivals, unpackWhile } from "./unpack-early.ts";

/** See `Images.pull`. */
export async function pull(scope: Scope, context: ImageContext, text: string, options: PullOptions): Promise<ImageRow> {
  return firstMeaning(scope, text, (reference) => pullReference(scope, context, reference, options));
}

async function pullReference(
  scope: Scope,
  context: ImageContext,
  reference: Reference,
  options: PullOptions,
): Promise<ImageRow> {
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  await using client = registryClient(context, options, reference.domain);
  await using lease = context.hold(scope);
  const progress = transferProgress("download", options.progress);
  const approve = await policyGate(
    policyChoice(context),
    registrySubject(reference, referenceText(reference)),
    registryPlace(client, reference),
  );
  const download = (inner: Scope, arrivals: Arrivals): Promise<PullResult> =>
    pullImage(inner, {
      client,
      reference,
      store: lease.content,
      isHere: getImageName(context.db, referenceText(reference)) !== null,
      onImage: ({ document }) => arrivals.manifest(document.bytes),
      onBlob: arrivals.blob,
      ...(approve === undefined ? {} : { approve }),
      ...(platform === undefined ? {} : { platform }),
      ...(progress === undefined ? {} : { progress }),
    });
  const { descriptor, manifestDescriptor } = await unpackWhile(scope, lease, options.progress, download);
  return await registerImage(scope, context, lease, {
    manifest: manifestDescriptor,
    target: descriptor,
    names: namesOf(reference, descriptor.digest),
  });
}

/** What a pulled or pushed reference leaves: its tag unless a digest was asked for, and the name by digest. */
export function namesOf(reference: Reference, digest: string): string[] {
  const byDigest = `${referenceName(reference)}@${digest}`;
  return reference.digest === undefined ? [referenceText(reference), byDigest] : [byDigest];
}
