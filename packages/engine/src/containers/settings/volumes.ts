// Volumes and other mounts of a container: paths checked and cleaned, image volumes added, nothing made yet.

import { posix } from "node:path";

import { TeuError } from "@teu/base/errors";

import { randomHex } from "@teu/files/random";
import type { MountSetting } from "../container-settings.ts";
import type { VolumeOption } from "../create-options.ts";

const PROPAGATIONS: readonly string[] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
/** What a tmpfs may be told; everything else could be an option of the kernel that we do not know. */
const TMPFS_FLAGS =
  /^(?:r[ow]|(?:no)?(?:exec|suid|dev|atime|diratime)|relatime|strictatime|sync|(?:size|mode|uid|gid|nr_inodes|nr_blocks)=[0-9]+[kKmMgG%]?)$/;

/** The mounts of a container: the user's, then those of the image's volumes that the user did not cover. */
export function mountSettings(options: readonly VolumeOption[], imageVolumes: readonly string[]): MountSetting[] {
  const mounts = options.map(mountSetting);
  const targets = new Set<string>();
  for (const mount of mounts) {
    if (targets.has(mount.target)) throw refuse(mount.target, "two mounts have this target");
    targets.add(mount.target);
  }
  for (const path of imageVolumes) {
    const target = checkTarget(path);
    if (!targets.has(target)) mounts.push(anonymous(target, false));
  }
  return mounts;
}

function mountSetting(option: VolumeOption): MountSetting {
  const target = checkTarget(option.target);
  switch (option.kind) {
    case "tmpfs": {
      const options = option.options ?? [];
      const bad = options.find((text) => !TMPFS_FLAGS.test(text));
      if (bad !== undefined) throw refuse(bad, "unknown option of a tmpfs");
      return { kind: "tmpfs", target, options };
    }
    case "bind": {
      if (!option.source.startsWith("/"))
        throw refuse(option.source, "the source of a bind mount must be an absolute path");
      if (option.source.includes("\0")) throw refuse(option.source, "a path cannot hold a zero byte");
      const propagation = option.propagation ?? "rprivate";
      if (!PROPAGATIONS.includes(propagation)) throw refuse(propagation, "unknown propagation");
      return {
        kind: "bind",
        source: posix.normalize(option.source),
        target,
        readOnly: option.readOnly ?? false,
        propagation,
      };
    }
    default: {
      if (option.name === undefined) return anonymous(target, option.readOnly ?? false);
      return {
        kind: "volume",
        name: checkVolumeName(option.name),
        anonymous: false,
        target,
        readOnly: option.readOnly ?? false,
      };
    }
  }
}

/** Names become directories: no separators, no dots at the start. @throws TeuError `invalid`. */
function checkVolumeName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/.test(name)) return name;
  throw refuse(name, 'a volume is named with 2 to 128 letters, digits, "_", "." or "-"; a host path begins with "/"');
}

// ".." is resolved here, in the text: what is left names a place below the container's root, whatever links it holds.
function checkTarget(text: string): string {
  if (!text.startsWith("/")) throw refuse(text, "the target of a mount must be an absolute path");
  if (text.includes("\0")) throw refuse(text, "a path cannot hold a zero byte");
  const path = posix.normalize(text).replace(/(?<=.)\/$/, "");
  if (path === "/") throw refuse(text, "the root of a container cannot be mounted over");
  return path;
}

function anonymous(target: string, readOnly: boolean): MountSetting {
  return { kind: "volume", name: randomHex(32), anonymous: true, target, readOnly };
}

function refuse(subject: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "read mount", subject, message });
}
