// What the state file remembers of a container's cgroup.
// portable: no host types here.

import type { UnitRecord } from "./systemd/driver.ts";

/** The directories, so that later commands find them without looking. */
export interface CgroupRecord {
  readonly kind: "unified" | "legacy" | "none";
  readonly directories: readonly { readonly controllers: string; readonly path: string }[];
  /** systemd's, when it was told of the container. */
  readonly unit?: UnitRecord;
}

/** The file that says whether the processes are frozen; "" when there is no freezer. */
export function freezerFile(record: CgroupRecord): string {
  const legacy = cgroupDirectory(record, "freezer");
  if (legacy !== null) return `${legacy}/freezer.state`;
  const unified = cgroupDirectory(record, "");
  return unified === null ? "" : `${unified}/cgroup.freeze`;
}

/** The directory of a controller; "" is cgroup v2's. */
export function cgroupDirectory(record: CgroupRecord, controller: string): string | null {
  const found = record.directories.find(
    ({ controllers }) =>
      controllers === controller || (controllers.includes(",") && controllers.split(",").includes(controller)),
  );
  return found?.path ?? null;
}
