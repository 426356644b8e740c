// The directories of an engine, made when it is opened.

import { readFileSync } from "node:fs";

import { TeuError } from "@teu/base/errors";
import { spreadSubdirectories } from "@teu/files/attributes";
import { makeDirectory } from "@teu/files/make-directory";
import { openDirectory } from "@teu/files/open";

import type { EnginePaths } from "./paths.ts";

/** Makes what is missing. 0711 above: the container's processes may pass through, not look around. */
export function makePlaces(paths: EnginePaths): void {
  for (const directory of [paths.root, paths.runroot]) make(directory, 0o711);
  for (const directory of [
    paths.layers,
    paths.workspaces,
    paths.empty,
    paths.scratch,
    paths.containers,
    paths.volumes,
    paths.runContainers,
    paths.locks,
  ])
    make(directory, 0o700);
  spread(paths.scratch);
}

/**
 * Layers are unpacked there. ext4 does not give inodes away again for five minutes, and looks at each of them for every new file in the
 * same part of the disk: without this, a pull after a removal takes three times as long.
 */
function spread(directory: string): void {
  using open = openDirectory(directory);
  spreadSubdirectories(open.fd);
}

function make(directory: string, mode: number): void {
  try {
    makeDirectory(directory, mode);
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    const code =
      errno === "EACCES" || errno === "EPERM" || errno === "EROFS"
        ? "denied"
        : errno === "ENOSPC"
          ? "exhausted"
          : "invalid";
    throw new TeuError({
      code,
      op: "make directory",
      subject: directory,
      message: "the engine keeps its state there",
      cause,
      hint: "run as root, or choose another --root and --runroot",
    });
  }
}

/** A small file's text; null when it is not there. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw error;
  }
}
