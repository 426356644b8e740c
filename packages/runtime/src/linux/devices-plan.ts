// The device nodes and links of /dev that a container gets (runtime-spec, "Default Devices", "Devices").
// portable: no host types here.

import { S_IFBLK, S_IFCHR, S_IFIFO } from "@teu/sys/constants/fs";
import type { Device, Spec } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";
import { cleanPath } from "./rootfs-path.ts";

/** One node to make; in a user namespace the host's node is bound instead. */
export interface DeviceStep {
  /** Clean absolute path inside the container. */
  readonly path: string;
  /** S_IFCHR, S_IFBLK or S_IFIFO. */
  readonly type: number;
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

const DEFAULTS: readonly (readonly [string, number, number])[] = [
  ["/dev/null", 1, 3],
  ["/dev/zero", 1, 5],
  ["/dev/full", 1, 7],
  ["/dev/random", 1, 8],
  ["/dev/urandom", 1, 9],
  ["/dev/tty", 5, 0],
];

/** Links in /dev: path, goal. */
export const DEVICE_LINKS: readonly (readonly [string, string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
];

const TYPES: Readonly<Record<Device["type"], number>> = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO };

/** Is /dev ours to fill? Not when the configuration binds one from elsewhere. */
export function ownsDev(spec: Spec): boolean {
  return !(spec.mounts ?? []).some(
    (mount) =>
      cleanPath(mount.destination) === "/dev" &&
      (mount.type === "bind" || (mount.options ?? []).some((o) => o === "bind" || o === "rbind")),
  );
}

/** Default devices that the configuration does not define itself, then its own. */
export function planDevices(spec: Spec): DeviceStep[] {
  const own = (spec.linux?.devices ?? []).map((device, index): DeviceStep => {
    const at = `linux.devices[${index}]`;
    if (!device.path.startsWith("/")) throw invalidConfig(`${at}.path`, "must be absolute");
    if (device.type !== "p" && (device.major === undefined || device.minor === undefined)) {
      throw invalidConfig(at, "major and minor are missing");
    }
    return {
      path: cleanPath(device.path),
      type: TYPES[device.type],
      major: device.major ?? 0,
      minor: device.minor ?? 0,
      mode: (device.fileMode ?? 0o666) & 0o7777,
      uid: device.uid ?? 0,
      gid: device.gid ?? 0,
    };
  });
  const defined = new Set(own.map((device) => device.path));
  const defaults = DEFAULTS.filter(([path]) => !defined.has(path)).map(([path, major, minor]): DeviceStep => ({
    path,
    type: S_IFCHR,
    major,
    minor,
    mode: 0o666,
    uid: 0,
    gid: 0,
  }));
  return [...defaults, ...own];
}
