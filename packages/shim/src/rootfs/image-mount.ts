// An image's layers as a read-only mount that stays when this process has ended, and its end. In the caller's mount namespace.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  UMOUNT_NOFOLLOW,
} from "@teu/sys/constants/mount";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { FieldReader } from "../config/field-reader.ts";
import type { ImageMount } from "../protocol.ts";
import { mountRootfs } from "./mount-rootfs.ts";

/** An image may hold programs that are set-user-id, and devices: on the host they must not mean anything. */
const HARMLESS = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
const CONFIG = "read image mount";
const MOST_LAYERS = 500;

/** Mounts what the document (`ImageMount` of protocol.ts) says. @throws TeuError `invalid`, `not-found`; else what the kernel said. */
export function mountImage(kernel: Kernel, document: string): void {
  const { lower, target } = parseMount(document);
  mountRootfs(kernel, { kind: "overlay", lower }, target, HARMLESS);
}

/** Takes an image's mount down. @throws TeuError `conflict` when it is in use, unless `force`: then it leaves the tree at once. */
export function unmountImage(kernel: Kernel, target: string, force: boolean): void {
  try {
    kernel.mount.umount2(target, force ? MNT_DETACH | UMOUNT_NOFOLLOW : UMOUNT_NOFOLLOW);
  } catch (error) {
    // Is not mounted, or is not there: what was wanted.
    if (isSysError(error, "EINVAL") || isSysError(error, "ENOENT")) return;
    if (!isSysError(error, "EBUSY")) throw error;
    throw new TeuError({
      code: "conflict",
      op: "unmount image",
      subject: target,
      message: "something in it is in use",
      hint: "leave it, or use --force",
    });
  }
}

function parseMount(document: string): ImageMount {
  let value: unknown;
  try {
    value = JSON.parse(document);
  } catch (cause) {
    throw new TeuError({ code: "invalid", op: CONFIG, message: "it is not JSON", cause });
  }
  const fields = new FieldReader(value, { op: CONFIG, path: "" });
  const lower = fields.strings("lower", MOST_LAYERS);
  const wrong = lower.find((path) => !path.startsWith("/"));
  if (lower.length === 0 || wrong !== undefined) throw fields.error("lower", "want at least one absolute path");
  const target = fields.path("target");
  fields.end();
  return { lower, target };
}
