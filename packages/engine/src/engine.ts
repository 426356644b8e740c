// The engine: everything with state on one host, opened in process by whoever needs it (command line, builder, APIs). No daemon.
// Several processes may have the same root open at once. It composes the parts; each part's interface is in its own folder.

import type { Scope } from "@teu/base/scope";
import type { ContentStore } from "@teu/image/content-store";
import type { BuildCache } from "./builds/build-cache.ts";
import type { Containers } from "./containers/containers.ts";
import type { Images } from "./images/images.ts";
import type { Networks } from "./networks/networks.ts";
import type { PruneOptions, PruneReport } from "./prune/prune.ts";
import type { Snapshots } from "./snapshots/snapshots.ts";
import type { Lease } from "./store/leases.ts";

/** Where an engine lives and what it starts. */
export interface EngineOptions {
  /** Durable state; made when missing (0711). Absolute. */
  readonly root: string;
  /** State that a reboot may take; made when missing (0711). Absolute. */
  readonly runroot: string;
  /** Default runtime: "teu-runtime" (default), "runc", "crun", or an absolute path. */
  readonly runtime?: string;
  /** Path of teu-shim; default: found beside the program, then in PATH. */
  readonly shim?: string;
  /** Where credentials are kept; default: DOCKER_CONFIG's or HOME's config.json. */
  readonly credentialsFile?: string;
  /** The policy that says which images are pulled; default: HOME's policy.json, then that of /etc/containers; without one: all. */
  readonly signaturePolicy?: string;
}

/** Numbers for `teu info`. */
export interface EngineInfo {
  readonly root: string;
  readonly runroot: string;
  readonly containers: { readonly running: number; readonly paused: number; readonly stopped: number };
  readonly images: number;
  readonly layers: number;
  readonly defaultRuntime: string;
  /** Found runtimes: name to path. */
  readonly runtimes: Readonly<Record<string, string>>;
  readonly shim: string | null;
}

/** One opened engine. Dispose it to close the database; containers go on. */
export interface Engine extends AsyncDisposable {
  readonly options: EngineOptions;
  readonly images: Images;
  readonly containers: Containers;
  readonly networks: Networks;
  readonly buildCache: BuildCache;
  /** For reading. Whoever makes layers that nothing refers to yet does it through a lease. */
  readonly snapshots: Snapshots;
  /** For reading; see `lease`. */
  readonly content: ContentStore;
  /** Protects what the caller finds and makes until an image, container or cache entry refers to it. */
  lease(scope: Scope): Promise<Lease>;
  /** Removes what nothing needs. */
  prune(scope: Scope, options?: PruneOptions): Promise<PruneReport>;
  info(scope: Scope): Promise<EngineInfo>;
}

/** Opens the engine at `options.root`. `denied` without the rights, `unsupported` for a database of a newer teu. */
export const Engine: { open(scope: Scope, options: EngineOptions): Promise<Engine> } = {
  open: async (scope, options) => (await import("./engine-open.ts")).openEngine(scope, options),
};
