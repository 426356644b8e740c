// Images that a build stands on: the engine's own, or pulled when they are not here.

import { isTeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";
import type { Image } from "@teu/engine/images/images";
import type { Digest } from "@teu/image/digest";
import type { Platform } from "@teu/specs/image";
import { buildError, type Location } from "../dockerfile/location.ts";
import { platformText } from "../graph/platform-arguments.ts";
import type { StepReport } from "../progress/build-event.ts";
import type { BuildSession } from "./session.ts";
import { DEFAULT_PATH, environmentOf, type StageState } from "./stage-state.ts";

/** An image whose layers are unpacked and held by the build's lease. */
export interface FoundImage {
  readonly image: Image;
  readonly chainId: Digest | null;
}

/** @throws TeuError `not-found` (or what the pull says) with the place in the Dockerfile. */
export async function findImage(
  scope: Scope,
  session: BuildSession,
  reference: string,
  platform: Platform,
  at: Location,
  report: StepReport,
): Promise<FoundImage> {
  const image =
    (await localImage(scope, session, reference, platform)) ??
    (await pull(scope, session, reference, platform, at, report));
  const chainId = await session.engine.images.unpack(scope, image.id);
  if (chainId !== null) await session.lease.snapshots.chain(scope, chainId);
  return { image, chainId };
}

/** A stage that begins with this image; the triggers of its ONBUILD are handed out and gone from the config. */
export function stateFromImage({ image, chainId }: FoundImage): {
  readonly state: StageState;
  readonly triggers: readonly string[];
} {
  const { OnBuild, ...config } = image.config.config ?? {};
  const env = environmentOf(config).has("PATH") ? (config.Env ?? []) : [...(config.Env ?? []), DEFAULT_PATH];
  const state: StageState = {
    chainId,
    platform: image.platform,
    config: { ...config, Env: env },
    history: image.config.history ?? [],
    created: image.config.created ?? null,
    args: new Map(),
    ownCommand: false,
    ...(image.config.author === undefined ? {} : { author: image.config.author }),
  };
  return { state, triggers: OnBuild ?? [] };
}

async function localImage(
  scope: Scope,
  session: BuildSession,
  reference: string,
  platform: Platform,
): Promise<Image | null> {
  if (session.options.pull === true) return null;
  try {
    const image = await session.engine.images.get(scope, reference, { platform: platformText(platform) });
    return image.platform.architecture === platform.architecture && image.platform.os === platform.os ? image : null;
  } catch (error) {
    if (isTeuError(error, "not-found")) return null;
    throw error;
  }
}

async function pull(
  scope: Scope,
  session: BuildSession,
  reference: string,
  platform: Platform,
  at: Location,
  report: StepReport,
): Promise<Image> {
  try {
    return await session.engine.images.pull(scope, reference, {
      platform: platformText(platform),
      progress: ({ kind, id }) => {
        if (kind === "resolve" || kind === "done") report.message(`${kind} ${id}`);
      },
    });
  } catch (cause) {
    if (isTeuError(cause, "cancelled")) throw cause;
    const hint = isTeuError(cause) ? cause.hint : undefined;
    throw buildError(at, `the image ${JSON.stringify(reference)} is not here and cannot be pulled`, {
      cause,
      hint,
      code: isTeuError(cause) ? cause.code : "internal",
    });
  }
}
