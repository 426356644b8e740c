// Names of layer stacks (image-spec config.md, "Layer ChainID").

import { type Digest, digestOf } from "@teu/image/digest";

/** The chain id of `diffId` lying on `parent`. */
export function chainIdOf(parent: Digest | null, diffId: Digest): Digest {
  return parent === null ? diffId : digestOf(`${parent} ${diffId}`);
}

/** Chain ids from the lowest layer up; empty for no layers. */
function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) chain.push(chainIdOf(chain.at(-1) ?? null, diffId));
  return chain;
}

/** The chain id of a whole stack, lowest first; null for no layers. */
export function topChainId(diffIds: readonly Digest[]): Digest | null {
  return chainIds(diffIds).at(-1) ?? null;
}
