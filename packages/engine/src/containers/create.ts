// create: one durable write. What is asked for is resolved against the image and checked; files and network are made by start.

import { mkdirSync } from "node:fs";

import { isTeuError } from "@teu/base/errors";
import { cleanupScope, REMOVAL_PATIENCE, type Scope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import { formatPlatform, hostPlatform, platformMatches } from "@teu/image/platform";
import type { ImageConfig, Platform } from "@teu/specs/image";

import type { ImageGetOptions } from "../images/images.ts";
import { layersDown, makeWorkspace, workspaceOf } from "../snapshots/overlay-snapshots.ts";
import { addContainer, type ContainerRow } from "../store/container-rows.ts";
import { addWorkspace } from "../store/layer-rows.ts";
import { selfOwner } from "../store/owner.ts";
import type { ContainerContext } from "./context.ts";
import type { CreatedContainer, CreateOptions } from "./create-options.ts";
import { diskError } from "./disk-error.ts";
import { discardContainer } from "./settle.ts";
import { checkContainerName, newContainerId, randomName } from "./settings/names.ts";
import { resolveSettings } from "./settings/resolve-settings.ts";
import { hostFacts } from "./spec/host-facts.ts";
import { undo } from "./undo.ts";

/** Made-up names collide seldom; more often than this something else is wrong. */
const NAME_TRIES = 20;

/** What a container's image gives it. */
export interface ResolvedImage {
  readonly name: string;
  readonly id: Digest | null;
  readonly chainId: Digest | null;
  readonly config: ImageConfig;
  readonly platform?: Platform;
}

/** See `Containers.create`. `find` looks an image of this engine up. */
export async function createContainer(
  scope: Scope,
  context: ContainerContext,
  options: CreateOptions,
  find: (ref: string, options: ImageGetOptions) => Promise<ResolvedImage>,
): Promise<CreatedContainer> {
  scope.check("create container");
  const image =
    typeof options.image === "string"
      ? await find(options.image, options.platform === undefined ? {} : { platform: options.platform })
      : { ...options.image, name: options.image.chainId ?? "scratch", id: null };
  const id = newContainerId();
  const { settings, warnings } = resolveSettings({
    id,
    options,
    image: image.name,
    imageId: image.id,
    chainId: image.chainId,
    config: image.config,
    runtime: options.runtime ?? context.options.runtime ?? "teu-runtime",
    facts: hostFacts(),
  });
  const base = {
    id,
    imageId: image.id,
    chainId: image.chainId,
    autoRemove: options.autoRemove ?? false,
    owner: options.owned === true ? selfOwner() : null,
    settings,
    createdAt: scope.now(),
  };
  try {
    const { name } = addNamed(scope, context, base, options.name);
    return { id, name, warnings: [...warnings, ...foreignPlatform(image)] };
  } catch (error) {
    await undo(scope, "remove what was made of the container", () =>
      discardContainer(cleanupScope(scope, REMOVAL_PATIENCE), context, id, true),
    );
    throw diskError("create container", error);
  }
}

/** With an emulator such an image runs; without one it ends with "exec format error", which says nothing. */
function foreignPlatform({ name, platform }: { readonly name: string; readonly platform?: Platform }): string[] {
  if (platform === undefined || platformMatches(hostPlatform(), platform)) return [];
  return [`the image ${name} is for ${formatPlatform(platform)}, this host is ${formatPlatform(hostPlatform())}`];
}

function addNamed(
  scope: Scope,
  context: ContainerContext,
  base: Omit<ContainerRow, "name">,
  wanted: string | undefined,
): ContainerRow {
  const { db } = context;
  const add = (name: string): ContainerRow => {
    const row = { ...base, name };
    // One that vanishes at its end need not survive a power cut, and so costs no sync.
    db.transaction(
      () => {
        if (row.chainId !== null) layersDown(context.snapshots.context, row.chainId);
        addContainer(db, row);
        addWorkspace(db, { key: row.id, parent: row.chainId }, null, scope.now());
        // Before the rows can be seen: a kill leaves a whole container, or directories that are swept.
        makeDirectories(context, row);
      },
      !row.autoRemove && row.owner === null,
    );
    return row;
  };
  if (wanted !== undefined) return add(checkContainerName(wanted));
  for (let attempt = 0; ; attempt++) {
    try {
      return add(randomName(attempt));
    } catch (error) {
      if (!isTeuError(error, "already-exists") || attempt >= NAME_TRIES) throw error;
    }
  }
}

function makeDirectories({ paths, snapshots }: ContainerContext, { id, chainId }: ContainerRow): void {
  mkdirSync(paths.container(id).directory, { mode: 0o711 });
  makeWorkspace(snapshots.context, workspaceOf(snapshots.context, id, chainId));
}
