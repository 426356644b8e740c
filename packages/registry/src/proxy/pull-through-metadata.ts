// The storages as the request handler sees them when some repositories are kept for other registries: four questions to the index
// may fetch what is not here, and blobs can be read while they come; everything else is the storages themselves.

import type { BlobStorage } from "@teu/distribution/server/blob-storage";
import type { MetadataStorage } from "@teu/distribution/server/metadata-storage";

import type { PullThrough } from "./pull-through.ts";

type Questions = Pick<MetadataStorage, "findManifest" | "findBlob" | "listTags" | "listReferrers">;

/** Puts the fetching in front of an index. */
export function pullThroughMetadata(metadata: MetadataStorage, through: PullThrough): MetadataStorage {
  const questions: Questions = {
    findManifest: (scope, repository, name) => {
      const upstream = through.upstreamOf(repository);
      return upstream === undefined
        ? metadata.findManifest(scope, repository, name)
        : through.findManifest(scope, upstream, repository, name);
    },
    findBlob: (scope, repository, digest) => {
      const upstream = through.upstreamOf(repository);
      return upstream === undefined
        ? metadata.findBlob(scope, repository, digest)
        : through.findBlob(scope, upstream, repository, digest);
    },
    listTags: (scope, repository, page) => {
      const upstream = through.upstreamOf(repository);
      return upstream === undefined
        ? metadata.listTags(scope, repository, page)
        : through.listTags(scope, upstream, repository, page);
    },
    listReferrers: (scope, repository, digest, page) => {
      const upstream = through.upstreamOf(repository);
      return upstream === undefined
        ? metadata.listReferrers(scope, repository, digest, page)
        : through.listReferrers(scope, upstream, repository, digest, page);
    },
  };
  return answering(metadata, questions);
}

/** Puts the blobs that are just coming beside those of a storage. */
export function pullThroughBlobs(blobs: BlobStorage, through: PullThrough): BlobStorage {
  const open: BlobStorage["open"] = async (scope, digest) => {
    // In this order: what comes is here before it is known to come no more.
    const blob = through.openBlob(digest) ?? (await blobs.open(scope, digest));
    if (blob === null) through.checkFailed(digest);
    return blob;
  };
  return answering(blobs, { open });
}

function answering<T extends object>(real: T, own: Partial<T>): T {
  return new Proxy(real, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return own[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      // Private members are the target's own.
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
