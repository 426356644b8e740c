// The index as the request handler sees it when some repositories are kept for other registries: three questions may fetch what is
// not here; everything else is the index itself.

import type { MetadataStorage } from "@teu/distribution/server/metadata-storage";

import type { PullThrough } from "./pull-through.ts";

type Questions = Pick<MetadataStorage, "findManifest" | "findBlob" | "listTags">;

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
  };
  return new Proxy(metadata, {
    get: (target, name) => {
      if (Object.hasOwn(questions, name)) return questions[name as keyof Questions];
      const value: unknown = Reflect.get(target, name, target);
      // Private members are the target's own.
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
