// Chain ids: the name of a stack of layers (image-spec, config.md "Layer ChainID").

import { type Digest, digestOf } from "./digest.ts";

/** The chain id of `diffId` lying on `parent`. */
export function chainIdOf(parent: Digest | null, diffId: Digest): Digest {
  return parent === null ? diffId : digestOf(`${parent} ${diffId}`);
}

/** The chain id of a whole stack, lowest layer first; null for no layers. */
export function topChainId(diffIds: readonly Digest[]): Digest | null {
  return diffIds.reduce<Digest | null>(chainIdOf, null);
}
