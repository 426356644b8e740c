// state: prints what a container is and how it does (runtime-spec, "State"; runc's extra fields, which callers read).
// portable: no host types here.

import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import type { Status } from "@teu/specs/runtime";
import type { Command } from "../cli/command.ts";
import { type RecordHead, StateDirectory, type StatePlace } from "../container/record.ts";
import { statusOfHead } from "../container/status.ts";

/** What runc prints per container; `list --format json` prints the same. */
export interface StateReport {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: Status;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** User name of whoever owns the state directory; the number when there is no name. */
  readonly owner: string;
}

/** Reads one container's report. */
export function reportState(kernel: Kernel, place: StatePlace, record: RecordHead): StateReport {
  const status = statusOfHead(kernel, place, record);
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    pid: status === "stopped" ? 0 : record.pid,
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    ...(Object.keys(record.annotations).length === 0 ? {} : { annotations: record.annotations }),
    owner: ownerName(kernel, place),
  };
}

/** The owner's name of the directory, by the host's /etc/passwd. */
function ownerName(kernel: Kernel, { dirfd, prefix }: StatePlace): string {
  const uid = kernel.fs.ownerAt(dirfd, prefix === "" ? "." : prefix);
  if (uid === 0) return "root";
  const lines = kernel.fs.accessAt(AT_FDCWD, "/etc/passwd", 4)
    ? kernel.fs.readTextAt(AT_FDCWD, "/etc/passwd", 1 << 20).split("\n")
    : [];
  return lines.map((line) => line.split(":")).find((fields) => fields[2] === String(uid))?.[0] ?? `#${uid}`;
}

/** The command. */
export const state: Command = {
  name: "state",
  operands: "<container-id>",
  doc: "output the state of a container",
  flags: [],
  minOperands: 1,
  maxOperands: 1,
  run: ({ kernel, root }, _flags, [id = ""]) => {
    const directory = StateDirectory.open(kernel, root, id);
    const report = reportState(kernel, directory, directory.readHead());
    kernel.host.print(JSON.stringify(report, null, 2));
    return 0;
  },
};
