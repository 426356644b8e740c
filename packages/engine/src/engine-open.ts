// Opens an engine: directories, database, and the parts, each of which loads what it needs when it is first used.

import { isAbsolute } from "node:path";

import { TeuError } from "@teu/base/errors";
import type { Scope } from "@teu/base/scope";

import { StoredBuildCache } from "./builds/stored-build-cache.ts";
import type { ContainerContext } from "./containers/context.ts";
import { readLife } from "./containers/life.ts";
import { reconcileAll } from "./containers/reconcile.ts";
import { isOver } from "./containers/settle.ts";
import { ShimContainers } from "./containers/shim-containers.ts";
import type { Engine, EngineInfo, EngineOptions } from "./engine.ts";
import type { ImageContext } from "./images/context.ts";
import { LocalImages } from "./images/local-images.ts";
import { BridgeNetworks } from "./networks/bridge-networks.ts";
import { DEFAULT_RUNTIME, findProgram, KNOWN_RUNTIMES } from "./programs.ts";
import type { PruneOptions, PruneReport } from "./prune/prune.ts";
import { OverlaySnapshots } from "./snapshots/overlay-snapshots.ts";
import { forgetEarlierBoot } from "./store/boot.ts";
import { Database } from "./store/database.ts";
import { makePlaces } from "./store/file-places.ts";
import { holdLease } from "./store/hold-lease.ts";
import type { Lease } from "./store/leases.ts";
import { OnDemandContent } from "./store/on-demand-content.ts";
import { enginePaths } from "./store/paths.ts";

/** See `Engine.open`. */
export async function openEngine(scope: Scope, options: EngineOptions): Promise<Engine> {
  scope.check("open engine");
  for (const path of [options.root, options.runroot]) {
    if (!isAbsolute(path))
      throw new TeuError({ code: "invalid", op: "open engine", subject: path, message: "want an absolute path" });
  }
  const paths = enginePaths(options.root, options.runroot);
  makePlaces(paths);
  const db = Database.open(paths.database);
  try {
    const content = new OnDemandContent(paths.content);
    const snapshots = new OverlaySnapshots({ db, paths, content });
    await forgetEarlierBoot(scope, db, paths, () => reconcileAll(scope, { options, db, paths, snapshots }));
    return new LocalEngine({
      options,
      db,
      paths,
      content,
      snapshots,
      hold: (held) => holdLease(held, db, paths, content),
    });
  } catch (error) {
    db.close();
    throw error;
  }
}

class LocalEngine implements Engine {
  readonly options: EngineOptions;
  readonly images: LocalImages;
  readonly containers: ShimContainers;
  readonly networks: BridgeNetworks;
  readonly buildCache: StoredBuildCache;
  readonly snapshots: OverlaySnapshots;
  readonly content: ImageContext["content"];
  readonly #context: ImageContext & ContainerContext;

  constructor(context: ImageContext & ContainerContext) {
    const { db, options, paths } = context;
    this.#context = context;
    this.options = options;
    this.content = context.content;
    this.snapshots = context.snapshots;
    this.images = new LocalImages(context, (id) => !isOver(readLife(paths.container(id))));
    this.containers = new ShimContainers(context, async (scope, ref, options) => {
      const { id, chainId, config, platform } = await this.images.get(scope, ref, options);
      return { name: ref, id, chainId, config, platform };
    });
    this.networks = new BridgeNetworks(db, paths.root);
    this.buildCache = new StoredBuildCache(db);
  }

  async lease(scope: Scope): Promise<Lease> {
    return this.#context.hold(scope);
  }

  async prune(scope: Scope, options?: PruneOptions): Promise<PruneReport> {
    return (await import("./prune/prune-all.ts")).pruneAll(scope, this.#context, options);
  }

  async info(scope: Scope): Promise<EngineInfo> {
    const containers = await this.containers.list(scope, { all: true });
    const count = (status: string) => containers.filter((one) => one.status === status).length;
    const runtimes = KNOWN_RUNTIMES.flatMap((name) => {
      const path = findProgram(name);
      return path === null ? [] : [[name, path] as const];
    });
    return {
      root: this.options.root,
      runroot: this.options.runroot,
      containers: {
        running: count("running"),
        paused: count("paused"),
        stopped: containers.length - count("running") - count("paused"),
      },
      images: (await this.images.list(scope)).length,
      layers: (await this.snapshots.list(scope)).length,
      defaultRuntime: this.options.runtime ?? DEFAULT_RUNTIME,
      runtimes: Object.fromEntries(runtimes),
      shim: findProgram(this.options.shim ?? "teu-shim"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#context.db.close();
  }
}
