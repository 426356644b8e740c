// The disk layout of an engine, drawn once. Whoever needs a path asks here.
//
//   ROOT                                durable
//     teu.db, teu.db-wal, teu.db-shm    metadata (schema.ts); written by store/ only
//     content/                          DiskContentStore of @teu/image: blobs/<alg>/<hex>, ingest/
//     snapshots/
//       layers/<hex of chain id>/       one layer in overlay format; appears whole, by rename; <alg>-<hex> when it is no sha256
//       empty/                          lower directory of workspaces that stand on no layer
//       workspaces/<key>/upper, work    one writable directory per container or build step
//     tmp/<owner>-<random>/             what is being made or removed; swept when its process is dead
//     containers/<id>/
//       bundle/config.json, rootfs/     made anew at each start; rootfs is mounted in the shim's namespace only
//       hosts, hostname, resolv.conf    bind-mounted into the container
//       container.log[.N], exit.json    written by the shim
//     volumes/<name>/                   named and anonymous volumes
//     uploads/<hex>, <hex>.lock         where an unfinished upload goes on; forgotten after a week
//     manifest-lists/<sha256>.json      lists of `teu manifest create`, by the digest of their name; lock orders writers
//   RUNROOT                             gone after a reboot
//     boot                              boot id of the state below
//     containers/<id>/                  see @teu/shim/protocol; exit.json of containers that vanish at their end
//     locks/<id>                        flock held while a process starts, settles or removes the container
//     image-mounts/<id>/                mount.json, layers.json, rootfs/: an image mounted on this host; lock beside it
//     runtime/<name>/                   --root of each low-level runtime
//     network.lock                      the shims' lock for bridge and nft changes

import { join } from "node:path";

/** All paths of one engine; everything absolute. */
export interface EnginePaths {
  readonly root: string;
  readonly runroot: string;
  readonly database: string;
  readonly content: string;
  readonly layers: string;
  readonly workspaces: string;
  readonly empty: string;
  readonly scratch: string;
  readonly containers: string;
  readonly volumes: string;
  readonly uploads: string;
  readonly manifestLists: string;
  readonly boot: string;
  readonly runContainers: string;
  readonly locks: string;
  readonly imageMounts: string;
  layer(chainId: string): string;
  workspace(key: string): string;
  container(id: string): ContainerPaths;
  volume(name: string): string;
  runtimeRoot(name: string): string;
}

/** The chain id of a name below `layers`; of what is no layer one that no layer has. */
export function chainIdOfName(name: string): string {
  return name.includes("-") ? name.replace("-", ":") : `sha256:${name}`;
}

/** Paths of one container. */
export interface ContainerPaths {
  /** ROOT/containers/ID */
  readonly directory: string;
  /** RUNROOT/locks/ID */
  readonly lock: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly spec: string;
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
  readonly log: string;
  readonly exitFile: string;
  /** The record of a container that vanishes at its end: it need not survive a reboot, and so costs no sync of a disk. */
  readonly passingExitFile: string;
  /** RUNROOT/containers/ID */
  readonly run: string;
  readonly shimConfig: string;
  readonly shimLock: string;
  readonly shimSocket: string;
  readonly state: string;
}

/** The layout below `root` and `runroot`. */
export function enginePaths(root: string, runroot: string): EnginePaths {
  const snapshots = join(root, "snapshots");
  const containers = join(root, "containers");
  const runContainers = join(runroot, "containers");
  const locks = join(runroot, "locks");
  const workspaces = join(snapshots, "workspaces");
  const layers = join(snapshots, "layers");
  const volumes = join(root, "volumes");
  return {
    root,
    runroot,
    layers,
    workspaces,
    containers,
    runContainers,
    volumes,
    empty: join(snapshots, "empty"),
    database: join(root, "teu.db"),
    content: join(root, "content"),
    scratch: join(root, "tmp"),
    uploads: join(root, "uploads"),
    manifestLists: join(root, "manifest-lists"),
    boot: join(runroot, "boot"),
    imageMounts: join(runroot, "image-mounts"),
    // sha256 chain ids are the only ones there are, and 64 characters keep lowerdir= short.
    layer: (chainId) => join(layers, chainId.replace(/^sha256:/, "").replace(":", "-")),
    workspace: (key) => join(workspaces, key),
    locks,
    container: (id) => containerPaths(join(containers, id), join(runContainers, id), join(locks, id)),
    volume: (name) => join(volumes, name),
    runtimeRoot: (name) => join(runroot, "runtime", name),
  };
}

function containerPaths(directory: string, run: string, lock: string): ContainerPaths {
  const bundle = join(directory, "bundle");
  return {
    directory,
    run,
    lock,
    bundle,
    rootfs: join(bundle, "rootfs"),
    spec: join(bundle, "config.json"),
    hosts: join(directory, "hosts"),
    hostname: join(directory, "hostname"),
    resolvConf: join(directory, "resolv.conf"),
    log: join(directory, "container.log"),
    exitFile: join(directory, "exit.json"),
    passingExitFile: join(run, "exit.json"),
    shimConfig: join(run, "shim.json"),
    shimLock: join(run, "shim.lock"),
    shimSocket: join(run, "shim.sock"),
    state: join(run, "state.json"),
  };
}
