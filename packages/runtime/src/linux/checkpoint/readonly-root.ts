// A checkpoint of a container whose root is read-only. CRIU cannot restore such a mount: it needs a directory there to pivot
// (`cr_pivot_root`, "Can't create a temporary directory: Read-only file system"). So the images get a writable one, and restore makes it
// read-only again before anything runs. The container's processes stand still for as long as their root is writable.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import type { Kernel } from "@teu/sys/kernel";
import type { ContainerRecord } from "../../container/record.ts";
import { isAlive } from "../../container/status.ts";
import { isFrozen, setFrozen } from "../cgroup/control.ts";
import { freezerFile } from "../cgroup/record.ts";
import { setRootReadonly } from "../hot-mounts.ts";

/** Calls `take` while the root is writable and the container frozen. @throws what `take` throws; `unsupported` without a freezer. */
export function withWritableRoot(kernel: Kernel, record: ContainerRecord, take: () => void): void {
  const file = freezerFile(record.cgroup);
  if (file === "") {
    throw new TeuError({
      code: "unsupported",
      op: "checkpoint container",
      subject: record.id,
      message:
        "its root is read-only, and it has no cgroup in which its processes could be held while CRIU sees it writable",
      hint: "a container with root.readonly false can be checkpointed",
    });
  }
  const wasFrozen = isFrozen(kernel, file);
  if (!wasFrozen) setFrozen(kernel, record.cgroup, true);
  try {
    setRootReadonly(kernel, record, false);
    try {
      take();
    } finally {
      if (isAlive(kernel, record)) setRootReadonly(kernel, record, true);
    }
  } finally {
    if (!wasFrozen) setFrozen(kernel, record.cgroup, false);
  }
}
