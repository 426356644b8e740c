// rm: the container, its writable directory, log and run state. A running one only by force.

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import type { ContainerContext } from "./context.ts";
import { findContainer } from "./find.ts";
import { readLife } from "./life.ts";
import { discardContainer, endContainer, isOver, lockContainer, settle, withRoom } from "./settle.ts";

/** See `Containers.remove`. */
export async function removeContainer(
  scope: Scope,
  context: ContainerContext,
  ref: string,
  options: { readonly force?: boolean; readonly volumes?: boolean } = {},
): Promise<void> {
  const row = findContainer(context.db, ref);
  const paths = context.paths.container(row.id);
  if (!isOver(readLife(paths))) {
    if (options.force !== true) {
      throw new TeuError({
        code: "conflict",
        op: "remove container",
        subject: ref,
        message: "container is running",
        hint: "stop it first, or use force",
      });
    }
    await endContainer(scope, context, row.id);
  }
  using lock = await lockContainer(scope, context, row.id);
  if (lock === null) return;
  const life = await withRoom(scope, context, row.id, () => settle(scope, context, row.id));
  if (!isOver(life))
    throw new TeuError({
      code: "conflict",
      op: "remove container",
      subject: ref,
      message: "container was started again meanwhile",
    });
  await discardContainer(scope, context, row.id, options.volumes === true || row.autoRemove);
}
