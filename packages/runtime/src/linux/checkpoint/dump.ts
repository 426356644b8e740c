// Takes a checkpoint: asks CRIU to write a container's processes into images, and says what belongs to the host.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, O_RDWR } from "@teu/sys/constants/fs";
import { SOCK_SEQPACKET } from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import type { Spec } from "@teu/specs/runtime";
import type { ContainerRecord } from "../../container/record.ts";
import { detectCgroups } from "../cgroup/layout.ts";
import { type CgroupRecord, cgroupDirectory } from "../cgroup/record.ts";
import { type StartPlan, planStart } from "../start-plan.ts";
import { Criu, type Launch, criuFailure } from "./criu.ts";
import { type CriuOptions, REQUEST } from "./criu-messages.ts";
import { NAMESPACE_KEYS, dumpMounts, externalPlaces, planJoins } from "./external.ts";
import { mountsAt, namespaceInode, readMounts, standardStreams } from "./facts.ts";
import { checkParent, closeDirectories, openDirectories, writeDescriptors } from "./images.ts";
import { withWritableRoot } from "./readonly-root.ts";

/** How to checkpoint. Paths are absolute. */
export interface CheckpointRequest {
  readonly imagePath: string;
  /** "": where the images are. */
  readonly workPath: string;
  /** Relative to `imagePath`; "": none. */
  readonly parentPath: string;
  /** Only memory, and the container goes on. */
  readonly preDump: boolean;
  /** What the flags say. */
  readonly options: Partial<CriuOptions>;
  /** CRIU; "": the one in PATH. */
  readonly program: string;
}

/**
 * CRIU's configuration file for containers, which may be missing; the annotation is crun's and runc's. Such a file can name scripts that
 * CRIU runs on the host, and annotations may come from an image: only the administrator's directory is good. Throws `denied`.
 */
export function criuConfig(annotations: Readonly<Record<string, string>>): string {
  const path = annotations["org.criu.config"] ?? "/etc/criu/runc.conf";
  if (/^\/etc\/criu\/[^/]+$/.test(path) && !path.endsWith("/..")) return path;
  throw new TeuError({
    code: "denied",
    op: "use CRIU's configuration",
    subject: path,
    message: "the annotation org.criu.config may only name a file of /etc/criu",
  });
}

/** Writes the images. Unless asked to leave it running, the container's processes are gone afterwards. */
export function checkpointContainer(
  kernel: Kernel,
  record: ContainerRecord,
  spec: Spec,
  request: CheckpointRequest,
): void {
  const plan = planStart(spec, record.id, record.bundle, { cgroups: detectCgroups(kernel, spec.linux?.resources) });
  const directories = openDirectories(kernel, request.imagePath, request.workPath, true);
  try {
    checkParent(kernel, directories.images, request.parentPath);
    const options: CriuOptions = {
      ...request.options,
      imagesFd: directories.images,
      workFd: directories.work,
      logFile: request.preDump ? "pre-dump.log" : "dump.log",
      pid: record.pid,
      root: record.rootfs,
      orphanPtsMaster: true,
      configFile: criuConfig(record.annotations),
      ...(request.parentPath === "" ? {} : { parentImages: request.parentPath }),
      trackMemory: request.preDump || request.parentPath !== "",
      ...freezer(record.cgroup),
      cgroupControllers: controllers(record.cgroup),
      ...externals(kernel, plan, record.pid, request.preDump ? -1 : directories.images),
    };
    const take = (): void => dump(kernel, record.id, options, request);
    if (plan.readonlyRoot && !request.preDump) withWritableRoot(kernel, record, take);
    else take();
  } finally {
    closeDirectories(kernel, directories);
  }
}

/** CRIU stops all processes at once with it, those in nested pid namespaces too. */
function freezer(cgroup: CgroupRecord): Partial<CriuOptions> {
  const path = cgroupDirectory(cgroup, "freezer") ?? cgroupDirectory(cgroup, "");
  return path === null ? {} : { freezeCgroup: path };
}

/**
 * Only hierarchies in which the container has a cgroup of its own. Of any other CRIU would take the cgroups of the whole host, since there
 * the container is in the root, and a restore would write into them.
 */
function controllers({ kind, directories }: CgroupRecord): readonly string[] {
  return kind === "legacy" ? directories.flatMap((directory) => directory.controllers.split(",")) : [];
}

/**
 * What is not to be in the images: namespaces of others, mounts and files from outside. The standard streams are noted in `images`, since a
 * restore must put others in their place. A pre-dump (`images` -1) is about memory only.
 */
function externals(kernel: Kernel, plan: StartPlan, pid: number, images: number): Partial<CriuOptions> {
  const namespaces = planJoins(plan.namespaces).inherited.map(({ type }) => {
    const file = type === "network" ? "net" : "pid";
    return `${file}[${namespaceInode(kernel, pid, file)}]:${NAMESPACE_KEYS[type]}`;
  });
  if (images < 0) return { externals: namespaces };
  const places = externalPlaces(plan);
  const all = readMounts(kernel, pid);
  const names = new Set([...places.map(({ path }) => path), ...plan.mounts.map(({ destination }) => destination)]);
  const streams = standardStreams(kernel, pid, all);
  writeDescriptors(kernel, images, streams);
  const files = streams.map(({ external }) => external).filter((external) => external !== "");
  return {
    externals: [...namespaces, ...new Set(files)],
    externalMounts: dumpMounts(places, mountsAt(kernel, pid, all, names), all),
  };
}

function dump(kernel: Kernel, id: string, options: CriuOptions, request: CheckpointRequest): void {
  const criu = Criu.start(kernel, request.program, quietly(kernel));
  try {
    if (request.preDump || options.lazyPages === true) checkFeatures(criu, request.preDump, options.lazyPages === true);
    const type = request.preDump ? REQUEST.preDump : REQUEST.dump;
    const answer = criu.request(type, options, () => {});
    if (answer.success) return;
    const name = request.preDump ? "PRE_DUMP" : "DUMP";
    const failed = { op: "checkpoint container", id, type: name, workFd: options.workFd, options };
    throw criuFailure(kernel, failed, criu.version, answer);
  } finally {
    criu.end();
  }
}

function checkFeatures(criu: Criu, memoryTracking: boolean, lazyPages: boolean): void {
  const answer = criu.ask(REQUEST.featureCheck);
  const missing = [
    ...(memoryTracking && !answer.memoryTracking
      ? ["tracking of written pages, which --pre-dump needs (CONFIG_MEM_SOFT_DIRTY)"]
      : []),
    ...(lazyPages && !answer.lazyPages ? ["userfaultfd, which --lazy-pages needs (CONFIG_USERFAULTFD)"] : []),
  ];
  if (missing.length === 0) return;
  throw new TeuError({
    code: "unsupported",
    op: "checkpoint container",
    message: `CRIU says that this kernel lacks ${missing.join(", and ")}`,
  });
}

/** CRIU's standard streams are none of the caller's business: it has its log. */
function quietly(kernel: Kernel): Launch {
  const { fs, process } = kernel;
  return (path, argv, env) => {
    const [socket, theirs] = kernel.socket.socketpair(SOCK_SEQPACKET);
    const nothing = fs.openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    // The images hold the memory of the container, in whatever directory they are.
    const umask = process.umask(0o077);
    try {
      const { pid, pidfd } = process.spawn({ path, argv, env, fds: [nothing, nothing, nothing, theirs] });
      fs.close(pidfd);
      return { pid, socket };
    } catch (error) {
      fs.close(socket);
      throw error;
    } finally {
      process.umask(umask);
      fs.close(nothing);
      fs.close(theirs);
    }
  };
}
