// Fills a registry's directory as years of pushes would: images with a configuration of their own and layers that they share with the
// ones before, each under a tag. Straight through the index, many blobs at once, since over HTTP it would take minutes.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { createScope } from "@teu/base/scope";
import { manifestFacts } from "@teu/distribution/server/manifest-facts";
import { type Digest, digestEncoded, digestOf } from "@teu/image/digest";
import { SqliteMetadata } from "@teu/registry/metadata/sqlite-metadata";
import { DiskBlobStorage } from "@teu/registry/storage/disk-blob-storage";
import { MEDIA_TYPES } from "@teu/specs/image";

/** Images in one repository. */
export const PER_REPOSITORY: number = 1000;
const LAYERS = 7;
/** So many images in a row differ in their configuration alone. */
const SAME_LAYERS = 10;
const scope = createScope();

/** Makes `manifests` images in repositories filled/0, filled/1 ..., with tags v0, v1 ... */
export async function fillRegistry(root: string, manifests: number): Promise<void> {
  await using _ = await DiskBlobStorage.open(scope, root);
  await using metadata = SqliteMetadata.open(join(root, "registry.db"));
  for (let first = 0; first < manifests; first += PER_REPOSITORY) {
    const repository = repositoryOf(first);
    const blobs = new Map<Digest, string>();
    const images = Array.from({ length: PER_REPOSITORY }, (__, index) => imageOf(first + index, blobs));
    await pushBlobs(metadata, root, repository, blobs);
    for (const [index, manifest] of images.entries()) {
      const outcome = await metadata.putManifest(scope, repository, { manifest, tags: [`v${first + index}`] });
      if (outcome.kind !== "stored") throw new Error(`cannot fill the index: ${outcome.kind}`);
    }
  }
}

/** The repository that the image of this number is in. */
export function repositoryOf(image: number): string {
  return `filled/${Math.floor(image / PER_REPOSITORY)}`;
}

function imageOf(number: number, blobs: Map<Digest, string>): ReturnType<typeof manifestFacts> {
  const put = (content: string): { digest: Digest; size: number } => {
    const digest = digestOf(content);
    blobs.set(digest, content);
    return { digest, size: content.length };
  };
  const layers = Array.from({ length: LAYERS }, (_, layer) => {
    const from = layer < LAYERS - 1 ? number - (number % PER_REPOSITORY) : number - (number % SAME_LAYERS);
    return { mediaType: MEDIA_TYPES.layerGzip, ...put(`layer ${layer} of image ${from}`) };
  });
  const history = layers.map(({ digest }) => ({ created_by: `COPY ${digest} /`, created: "2026-01-01T00:00:00Z" }));
  const config = { architecture: "amd64", os: "linux", config: { Env: [`BUILD=${number}`] }, history };
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: { mediaType: MEDIA_TYPES.config, ...put(JSON.stringify(config)) },
    layers,
  };
  return manifestFacts({
    bytes: Buffer.from(JSON.stringify(manifest)),
    contentType: MEDIA_TYPES.manifest,
    sparse: false,
  });
}

async function pushBlobs(
  metadata: SqliteMetadata,
  root: string,
  repository: string,
  blobs: ReadonlyMap<Digest, string>,
): Promise<void> {
  const upload = repository.replaceAll("/", "-");
  await metadata.createUpload(scope, { id: upload, repository }, 10);
  await metadata.claimBlobs(scope, upload, [...blobs.keys()]);
  for (const [digest, content] of blobs) writeFileSync(join(root, "blobs/sha256", digestEncoded(digest)), content);
  const infos = [...blobs].map(([digest, content]) => ({ digest, size: content.length }));
  await metadata.linkClaimed(scope, repository, { upload, blobs: infos, end: true });
}
