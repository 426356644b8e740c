// Makes an image of what is in the content store: layers unpacked and verified against the config, rows written, names given.
// The end of pull, load and create alike.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { topChainId } from "@teu/image/chain-id";
import { parseDigest } from "@teu/image/digest";
import type { Descriptor, ImageConfig } from "@teu/specs/image";

import type { Layer } from "../snapshots/snapshots.ts";
import type { HeldLease } from "../store/hold-lease.ts";
import { getImage, type ImageRow, putImage, putImageConfig, putImageName } from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { checkIsImage, diffIdsOf, readConfig, readManifest } from "./image-of.ts";
import type { ImageProgress } from "./images.ts";

/** What is to become an image. */
export interface RegisterOptions {
  readonly manifest: Descriptor;
  /** What its names resolve to; default: the manifest. */
  readonly target?: Descriptor;
  /** Full references. */
  readonly names: readonly string[];
  readonly progress?: (event: ImageProgress) => void;
}

/** Unpacks what is missing and writes the rows, in one transaction. The lease keeps everything until then. */
export async function registerImage(
  scope: Scope,
  context: ImageContext,
  lease: HeldLease,
  options: RegisterOptions,
): Promise<ImageRow> {
  const { target = options.manifest } = options;
  const manifest = await readManifest(scope, lease.content, options.manifest.digest);
  checkIsImage(manifest, options.manifest.digest);
  const id = parseDigest(manifest.config.digest);
  const config = await readConfig(scope, lease.content, { id });
  const diffIds = diffIdsOf(config);
  if (diffIds.length !== manifest.layers.length) {
    throw new TeuError({
      code: "invalid",
      op: "read image",
      subject: id,
      message: `the manifest has ${manifest.layers.length} layers, the config ${diffIds.length}`,
    });
  }
  const layers: Layer[] = [];
  for (const [index, descriptor] of manifest.layers.entries()) {
    const diffId = diffIds[index];
    options.progress?.({ kind: "unpack", id: descriptor.digest, total: descriptor.size });
    layers.push(
      await lease.snapshots.unpack(scope, {
        descriptor,
        parent: layers.at(-1)?.chainId ?? null,
        ...(diffId === undefined ? {} : { diffId }),
      }),
    );
    options.progress?.({ kind: "done", id: descriptor.digest });
  }
  const row: ImageRow = {
    id,
    manifest: plain(options.manifest),
    chainId: topChainId(diffIds),
    platform: {
      os: config.os,
      architecture: config.architecture,
      ...(config.variant === undefined ? {} : { variant: config.variant }),
    },
    blobs: [
      ...new Set(
        [options.manifest, manifest.config, ...manifest.layers].map((descriptor) => parseDigest(descriptor.digest)),
      ),
    ],
    size: layers.reduce((sum, layer) => sum + layer.size, 0),
    createdAt: createdAt(config),
  };
  context.db.transaction(() => {
    putImage(context.db, row, scope.now());
    putImageConfig(context.db, id, config);
    for (const name of options.names) putImageName(context.db, name, id, plain(target), scope.now());
  }, true);
  return getImage(context.db, id) ?? row;
}

/** A descriptor as rows keep it: what it is, not what an index said around it. */
function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function createdAt(config: ImageConfig): number {
  const time = Date.parse(config.created ?? "");
  return Number.isNaN(time) ? 0 : time;
}
