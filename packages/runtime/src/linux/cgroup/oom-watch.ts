// Tells when the kernel kills a process of a cgroup for want of memory: v1 through an eventfd registered with memory.oom_control,
// v2 by a look at memory.events whenever it is written (kernel Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst).
// portable: no host types here.

import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { readOrNull } from "./members.ts";
import { type CgroupRecord, cgroupDirectory } from "./record.ts";

const IN_MODIFY = 2;
const CHUNK = 4096;

/** `fd` becomes readable when something may have happened; `taken` says whether it did, and makes `fd` wait again. */
export interface OomWatch {
  readonly fd: number;
  taken(): boolean;
}

/** null when the container's memory is not accounted. Caller closes `fd`. */
export function watchOom(kernel: Kernel, record: CgroupRecord): OomWatch | null {
  const unified = cgroupDirectory(record, "");
  if (record.kind === "unified") return unified === null ? null : watchEvents(kernel, `${unified}/memory.events`);
  const legacy = cgroupDirectory(record, "memory");
  return legacy === null ? null : watchControl(kernel, legacy);
}

function watchEvents(kernel: Kernel, path: string): OomWatch | null {
  if (readOrNull(kernel, path) === null) return null;
  const kills = (): number => Number(/^oom_kill (\d+)$/m.exec(readOrNull(kernel, path) ?? "")?.[1] ?? 0);
  const fd = kernel.poll.inotify();
  kernel.poll.inotifyAdd(fd, path, IN_MODIFY);
  let before = kills();
  return {
    fd,
    taken: () => {
      drain(kernel, fd);
      const now = kills();
      const more = now > before;
      before = now;
      return more;
    },
  };
}

function watchControl(kernel: Kernel, directory: string): OomWatch {
  const { fs, poll } = kernel;
  const fd = poll.eventfd();
  const control = fs.openat(AT_FDCWD, `${directory}/memory.oom_control`, O_RDONLY | O_CLOEXEC, 0);
  try {
    fs.writeTextAt(AT_FDCWD, `${directory}/cgroup.event_control`, `${fd} ${control}`);
  } catch (error) {
    fs.close(fd);
    throw error;
  } finally {
    fs.close(control);
  }
  // The removal of the cgroup makes it readable, too.
  return { fd, taken: () => drain(kernel, fd) && readOrNull(kernel, `${directory}/memory.oom_control`) !== null };
}

function drain(kernel: Kernel, fd: number): boolean {
  try {
    return kernel.fs.read(fd, CHUNK).length > 0;
  } catch (error) {
    if (isSysError(error, "EAGAIN")) return false;
    throw error;
  }
}
