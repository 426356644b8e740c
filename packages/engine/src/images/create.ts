// create: an image from a config and layers that a builder or importer made.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { parseReference, referenceText } from "@teu/image/reference";
import { type Descriptor, type ImageManifest, MEDIA_TYPES, parseImageConfig } from "@teu/specs/image";

import type { HeldLease } from "../store/hold-lease.ts";
import type { ImageRow } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import type { CreateImageOptions } from "./images.ts";
import { registerImage } from "./register.ts";

/** See `Images.create`. */
export async function createImage(scope: Scope, context: ImageContext, options: CreateImageOptions): Promise<ImageRow> {
  const names = (options.names ?? []).map(nameText);
  await using lease = context.hold(scope);
  const configBytes = options.configBytes ?? Buffer.from(JSON.stringify(options.config));
  parseImageConfig(configBytes);
  const config = await putBlob(scope, lease, MEDIA_TYPES.config, configBytes);
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config,
    layers: options.layers.map((layer) => {
      if (layer.blob !== null) return layer.blob;
      throw new TeuError({
        code: "invalid",
        op: "create image",
        subject: layer.chainId,
        message: "the layer has no blob",
      });
    }),
    ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
  };
  const descriptor = await putBlob(scope, lease, MEDIA_TYPES.manifest, Buffer.from(JSON.stringify(manifest)));
  return await registerImage(scope, context, lease, { manifest: descriptor, names });
}

/** A name to give: by tag, never by digest. @throws TeuError `invalid`. */
export function nameText(text: string): string {
  const reference = parseReference(text);
  if (reference.digest === undefined) return referenceText(reference);
  throw new TeuError({
    code: "invalid",
    op: "name image",
    subject: text,
    message: "a name to give cannot have a digest",
  });
}

async function putBlob(scope: Scope, lease: HeldLease, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  const expected = { digest: digestOf(bytes), size: bytes.length };
  if ((await lease.content.info(scope, expected.digest)) === null) {
    await using ingest = await lease.content.ingest(scope, expected.digest, expected);
    await ingest.write(bytes);
    await ingest.commit(expected);
  }
  return { mediaType, ...expected };
}
