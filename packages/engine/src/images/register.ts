// Makes an image of what is in the content store: layers unpacked and verified against the config, rows written, names given.
// The end of pull, load and create alike.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import { topChainId } from "@teu/image/chain-id";
import { type Digest, parseDigest } from "@teu/image/digest";
import { hostPlatform } from "@teu/image/platform";
import type { Descriptor, ImageConfig } from "@teu/specs/image";

import type { Layer } from "../snapshots/snapshots.ts";
import type { HeldLease } from "../store/hold-lease.ts";
import {
  dropUnnamedIndexes,
  getImage,
  type ImageRow,
  imagesOfIndex,
  putImage,
  putImageConfig,
  putImageName,
  putIndexMembers,
} from "../store/image-rows.ts";
import type { ImageContext } from "./context.ts";
import { bestImage } from "./find.ts";
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

/** Several images of one index. */
export interface RegisterIndexOptions extends Omit<RegisterOptions, "manifest" | "target"> {
  readonly manifests: readonly Descriptor[];
  /** The index. */
  readonly target: Descriptor;
  /** What of it is to be kept beside its images. */
  readonly blobs: readonly Digest[];
}

/** Unpacks what is missing and writes the rows, in one transaction. The lease keeps everything until then. */
export async function registerImage(
  scope: Scope,
  context: ImageContext,
  lease: HeldLease,
  options: RegisterOptions,
): Promise<ImageRow> {
  const { manifest, names, target = manifest } = options;
  const made = await prepareImage(scope, lease, options);
  const isMember = target.digest !== manifest.digest && names.length > 0;
  return write(scope, context, [made], isMember ? { target, blobs: [] } : null, target, names);
}

/** The same for several images of an index; its names stand for all of them. The result is the one for this host, else the first. */
export async function registerIndex(
  scope: Scope,
  context: ImageContext,
  lease: HeldLease,
  options: RegisterIndexOptions,
): Promise<ImageRow> {
  const { manifests, target, names, blobs, ...rest } = options;
  const made: PreparedImage[] = [];
  for (const manifest of manifests) made.push(await prepareImage(scope, lease, { manifest, names, ...rest }));
  return write(scope, context, made, { target, blobs }, target, names);
}

interface PreparedImage {
  readonly row: ImageRow;
  readonly config: ImageConfig;
}

function write(
  scope: Scope,
  { db }: ImageContext,
  made: readonly PreparedImage[],
  index: { readonly target: Descriptor; readonly blobs: readonly Digest[] } | null,
  target: Descriptor,
  names: readonly string[],
): ImageRow {
  const rows = made.map(({ row }) => row);
  const [first] = rows;
  if (first === undefined)
    throw new TeuError({ code: "invalid", op: "read image", subject: target.digest, message: "no image is in it" });
  let chosen = first;
  db.transaction(() => {
    for (const { row, config } of made) {
      putImage(db, row, scope.now());
      putImageConfig(db, row.id, config);
    }
    if (index !== null)
      putIndexMembers(
        db,
        index.target.digest,
        rows.map(({ id }) => id),
        index.blobs,
      );
    chosen = bestImage(rows, hostPlatform()) ?? first;
    // A name stands for this host's image while that is here, whatever else is fetched.
    const known = index === null ? [] : imagesOfIndex(db, index.target.digest);
    const own = bestImage(known, hostPlatform()) ?? chosen;
    for (const name of names) putImageName(db, name, own.id, plain(target), scope.now());
    dropUnnamedIndexes(db);
  }, true);
  return getImage(db, chosen.id) ?? chosen;
}

async function prepareImage(scope: Scope, lease: HeldLease, options: RegisterOptions): Promise<PreparedImage> {
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
  return { row, config };
}

/** A descriptor as rows keep it: what it is, not what an index said around it. */
function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function createdAt(config: ImageConfig): number {
  const time = Date.parse(config.created ?? "");
  return Number.isNaN(time) ? 0 : time;
}
