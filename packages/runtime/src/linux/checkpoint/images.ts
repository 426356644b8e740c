// The directories of a checkpoint:
//
//   IMAGES/               --image-path
//     *.img               CRIU's
//     descriptors.json    the standard streams at checkpoint: a JSON array of three strings, as runc and crun have it
//     teu-streams.json    those of them that are files of the host: [{"goal", "external", "mode"}, ...]
//     parent              link to the images before these (--parent-path), made by CRIU
//   WORK/                 --work-path, or else IMAGES
//     dump.log, pre-dump.log, restore.log, stats-dump ...  CRIU's
//
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { verbatim } from "../../failure.ts";
import type { StandardStream } from "./facts.ts";

const DESCRIPTORS = "descriptors.json";
const STREAMS = "teu-streams.json";
const LIMIT = 1 << 20;

/** Both directories, open. `close` them. */
export interface Directories {
  readonly images: number;
  readonly work: number;
}

/** Opens them. With `make` what is missing is made (0700: images hold the memory of the container). Throws `not-found`. */
export function openDirectories(kernel: Kernel, imagePath: string, workPath: string, make: boolean): Directories {
  const images = openDirectory(kernel, imagePath, make);
  try {
    return { images, work: workPath === "" ? kernel.fs.dup(images, 3) : openDirectory(kernel, workPath, true) };
  } catch (error) {
    kernel.fs.close(images);
    throw error;
  }
}

/** Closes both. */
export function closeDirectories(kernel: Kernel, { images, work }: Directories): void {
  kernel.fs.close(images);
  kernel.fs.close(work);
}

function openDirectory(kernel: Kernel, path: string, make: boolean): number {
  if (make) makeDirectories(kernel, path);
  try {
    return kernel.fs.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  } catch (error) {
    if (!isSysError(error, "ENOENT") && !isSysError(error, "ENOTDIR")) throw error;
    throw new TeuError({ code: "not-found", op: "open images", subject: path, message: "there is no such directory" });
  }
}

function makeDirectories(kernel: Kernel, path: string): void {
  let prefix = "";
  for (const name of path.split("/").filter((part) => part !== "")) {
    prefix = `${prefix}/${name}`;
    try {
      kernel.fs.mkdirAt(AT_FDCWD, prefix, 0o700);
    } catch (error) {
      if (!isSysError(error, "EEXIST")) throw error;
    }
  }
}

/** Checks --parent-path, which counts from the images. Throws `invalid`. */
export function checkParent(kernel: Kernel, images: number, parent: string): void {
  if (parent === "") return;
  if (parent.startsWith("/")) throw verbatim("invalid", "--parent-path must be relative");
  try {
    kernel.fs.close(kernel.fs.openat(images, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
  } catch (error) {
    if (!isSysError(error, "ENOENT") && !isSysError(error, "ENOTDIR")) throw error;
    throw verbatim("invalid", `--parent-path ${JSON.stringify(parent)} is no directory; it counts from --image-path`);
  }
}

/** Notes the standard streams in the images. */
export function writeDescriptors(kernel: Kernel, images: number, streams: readonly StandardStream[]): void {
  const put = (name: string, value: unknown): void =>
    kernel.fs.replaceFileAt(images, name, JSON.stringify(value), 0o600, false);
  put(
    DESCRIPTORS,
    streams.map(({ goal }) => goal),
  );
  put(STREAMS, streams);
}

/**
 * The streams at checkpoint that a restore must put others in place of: pipes and files of the host; null for those that CRIU opens again
 * itself. Throws `corrupt`.
 */
export function readDescriptors(kernel: Kernel, images: number): (StandardStream | null)[] {
  const goals = readArray(kernel, images, DESCRIPTORS);
  const streams = readArray(kernel, images, STREAMS);
  return goals.slice(0, 3).map((goal, fd) => {
    if (typeof goal !== "string") throw badDescriptors(DESCRIPTORS);
    if (/^pipe:\[\d+\]$/.test(goal)) return { goal, external: goal, mode: 0 };
    const { external = "", mode = 0 } = (streams[fd] ?? {}) as Partial<StandardStream>;
    if (external === "") return null;
    if (!/^file\[[0-9a-f]+:[0-9a-f]+\]$/.test(external) || !Number.isInteger(mode)) throw badDescriptors(STREAMS);
    return { goal, external, mode };
  });
}

/** Empty when there is none: crun writes the first for some containers only, and the second is ours alone. */
function readArray(kernel: Kernel, images: number, name: string): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(kernel.fs.readTextAt(images, name, LIMIT));
    if (Array.isArray(parsed)) return parsed;
  } catch (error) {
    if (isSysError(error, "ENOENT")) return [];
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw badDescriptors(name);
}

function badDescriptors(name: string): TeuError {
  return new TeuError({ code: "corrupt", op: "read", subject: name, message: "this is not what a checkpoint writes" });
}
