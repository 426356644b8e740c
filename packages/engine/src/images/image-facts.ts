// What `inspect` says of an image that does not depend on where the image is, in the shape that Docker's API has.

import type { Descriptor, ImageConfig } from "@teu/specs/image";

import type { ImageInspect } from "./images.ts";

/** What Docker says where it knows no time. */
export const NO_TIME = "0001-01-01T00:00:00Z";

/** Without what only an engine knows. */
export type ImageFacts = Omit<ImageInspect, "GraphDriver" | "Metadata">;

/** What the facts are made of. */
export interface ImageParts {
  /** Digest of the config. */
  readonly id: string;
  /** Names as people are shown them. */
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly config: ImageConfig;
  /** Bytes. */
  readonly size: number;
  /** What the name stands for. */
  readonly target: Descriptor;
}

/** The facts, in the order in which they are printed. */
export function imageFacts({ id, tags, digests, config, size, target }: ImageParts): ImageFacts {
  return {
    Id: id,
    RepoTags: tags,
    RepoDigests: digests,
    Parent: "",
    Comment: config.history?.at(-1)?.comment ?? "",
    Created: config.created ?? NO_TIME,
    Author: config.author ?? "",
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: size,
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids },
    Descriptor: target,
    Config: { ...config.config },
  };
}
