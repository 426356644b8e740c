// Chain ids: the name of a stack of layers (image-spec, config.md "Layer ChainID").

import { type Digest, digestOf } from "./digest.ts";

/** The chain id of each prefix of `diffIds` (base first): the last one names the whole stack. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
