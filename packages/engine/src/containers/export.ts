// export: a container's file system as a tar, from its snapshot: running or not, nothing is mounted and nothing is stopped.

import type { Scope } from "@teu/base/scope";
import { unionTar } from "@teu/image/layer/union-tar";
import { UnionView } from "@teu/image/layer/union-view";

import { workspaceOf } from "../snapshots/overlay-snapshots.ts";
import type { ContainerContext } from "./context.ts";
import { findContainer } from "./find.ts";

/** See `Containers.export`. */
export async function* exportContainer(
  scope: Scope,
  context: ContainerContext,
  ref: string,
): AsyncGenerator<Uint8Array> {
  const { id, chainId } = findContainer(context.db, ref);
  const { upper, lower } = workspaceOf(context.snapshots.context, id, chainId);
  using view = UnionView.open([upper, ...lower]);
  yield* unionTar(scope, view);
}
