// The target stage as an image of the engine: config written out, names given.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Image } from "@teu/engine/images/images";
import type { ImageConfig } from "@teu/specs/image";
import type { BuildSession } from "./session.ts";
import type { StageState } from "./stage-state.ts";

/** Makes the image. */
export async function exportImage(
  scope: Scope,
  session: BuildSession,
  state: StageState,
  names: readonly string[],
): Promise<Image> {
  const chain = state.chainId === null ? [] : (await session.lease.snapshots.chain(scope, state.chainId)).toReversed();
  const unpacked = chain.find((layer) => layer.blob === null);
  if (unpacked !== undefined)
    throw new TeuError({
      code: "internal",
      op: "export image",
      subject: unpacked.chainId,
      message: "a layer has no blob",
    });
  const config = imageConfig(
    session,
    state,
    chain.map((layer) => layer.diffId),
  );
  return await session.engine.images.create(scope, { config, layers: chain, names });
}

function imageConfig(session: BuildSession, state: StageState, diffIds: readonly string[]): ImageConfig {
  const fixed = Object.hasOwn(session.buildArgs, "SOURCE_DATE_EPOCH");
  const created = fixed || state.created === null ? session.timestamp() : state.created;
  const labels = { ...state.config.Labels, ...session.options.labels };
  return {
    created,
    ...(state.author === undefined ? {} : { author: state.author }),
    ...state.platform,
    config: { ...state.config, ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }) },
    rootfs: { type: "layers", diff_ids: diffIds },
    // Metadata lines in front of the first layer got no time yet.
    history: state.history.map((entry) => ({ created, ...entry })),
  };
}
