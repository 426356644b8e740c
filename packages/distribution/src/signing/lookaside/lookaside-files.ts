// Where this host says which signatures are kept apart from their images (containers-registries.d(5)), and where they are unless it
// says something.

import { join } from "node:path";

/** Directories and files of an environment. */
export interface LookasideFiles {
  /** Of `*.yaml`; the first directory that exists counts alone. */
  readonly directories: readonly string[];
  /** A directory of signatures for what no file speaks of; null: there is none. */
  readonly fallback: string | null;
}

/** For a user with this directory. Root's signatures are the host's, as for skopeo. */
export function lookasideFiles(home: string | undefined): LookasideFiles {
  const own = home?.startsWith("/") === true ? home : null;
  const isRoot = process.geteuid?.() === 0;
  return {
    directories: [
      ...(own === null ? [] : [join(own, ".config/containers/registries.d")]),
      "/etc/containers/registries.d",
    ],
    fallback: isRoot
      ? "/var/lib/containers/sigstore"
      : own === null
        ? null
        : join(own, ".local/share/containers/sigstore"),
  };
}
