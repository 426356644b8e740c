// What every command does for those that were killed: containers whose shim is gone are settled, those that nobody can want any more removed.

import { existsSync, readdirSync } from "node:fs";

import { cleanupScope, type Scope } from "@teu/base/scope";
import { removeTreeSync } from "@teu/files/remove-tree";

import { getContainer, hasContainer, listContainers, ownedContainers } from "../store/container-rows.ts";
import { ownerAlive, selfOwner } from "../store/owner.ts";
import type { ContainerContext } from "./context.ts";
import { readLife } from "./life.ts";
import { discardContainer, endContainer, isOver, settle, tryLockContainer } from "./settle.ts";

/**
 * Settles every container with a run directory whose shim is gone, and removes those that were to vanish, and those whose process
 * is gone (see `CreateOptions.owned`). Containers that another process is busy with are left to it. A container that cannot be
 * settled is logged and left.
 */
export async function reconcile(scope: Scope, context: ContainerContext): Promise<void> {
  await settleThese(scope, context, readdirSync(context.paths.runContainers));
  await removeAbandoned(scope, context);
}

/** As `reconcile`, but every container: after a boot there are no run directories to find those by that ran before. */
export async function reconcileAll(scope: Scope, context: ContainerContext): Promise<void> {
  await settleThese(
    scope,
    context,
    listContainers(context.db).map((row) => row.id),
  );
  await removeAbandoned(scope, context);
}

async function settleThese(scope: Scope, context: ContainerContext, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const paths = context.paths.container(id);
    try {
      const life = readLife(paths);
      if (!isOver(life)) continue;
      const begun = life.phase !== "created" || existsSync(paths.run);
      if (hasContainer(context.db, id)) await settleOne(scope, context, id, begun);
      else removeTreeSync(paths.run);
    } catch (error) {
      scope.log.warn("cannot settle container", { id, error });
    }
  }
}

async function settleOne(scope: Scope, context: ContainerContext, id: string, begun: boolean): Promise<void> {
  using lock = tryLockContainer(context, id);
  if (lock === null) return;
  const life = await settle(scope, context, id);
  if (begun && isOver(life) && getContainer(context.db, id)?.autoRemove === true)
    await discardContainer(scope, context, id, true);
}

async function removeAbandoned(scope: Scope, context: ContainerContext): Promise<void> {
  for (const { id, owner, autoRemove } of ownedContainers(context.db)) {
    if (owner === selfOwner() || ownerAlive(owner)) continue;
    try {
      // Started, it is what its user asked for; its end removes it.
      if (autoRemove && readLife(context.paths.container(id)).phase !== "created") continue;
      await endContainer(cleanupScope(scope), context, id);
      using lock = tryLockContainer(context, id);
      if (lock === null) continue;
      const life = await settle(scope, context, id);
      if (isOver(life)) await discardContainer(scope, context, id, true);
    } catch (error) {
      scope.log.warn("cannot remove the container of a process that is gone", { id, error });
    }
  }
}
