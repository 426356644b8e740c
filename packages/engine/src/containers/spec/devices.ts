// Device nodes and the device access list. The runtime adds /dev/null and its kin by itself (runtime-spec, "Default Devices").

import type { Device, DeviceRule } from "@teu/specs/runtime";

/** A device node found on the host. */
export interface HostDevice {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
  /** Subset of "rwm". */
  readonly access: string;
}

/** Everything may be made (mknod) but only these be opened: what every container has under /dev. */
const DEFAULT_RULES: readonly DeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...(
    [
      [1, 3],
      [1, 5],
      [1, 7],
      [1, 8],
      [1, 9],
      [5, 0],
      [5, 2],
    ] as const
  ).map(([major, minor]) => ({ allow: true, type: "c" as const, major, minor, access: "rwm" })),
  { allow: true, type: "c", major: 136, access: "rwm" },
];

/** The `devices` of a container. */
export function deviceNodes(devices: readonly HostDevice[]): Device[] {
  return devices.map(({ path, type, major, minor, fileMode, uid, gid }) => ({
    path,
    type,
    major,
    minor,
    fileMode,
    uid,
    gid,
  }));
}

/** The access list: everything for a privileged container. */
export function deviceRules(privileged: boolean, devices: readonly HostDevice[]): DeviceRule[] {
  if (privileged) return [{ allow: true, access: "rwm" }];
  return [
    ...DEFAULT_RULES,
    ...devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access })),
  ];
}
