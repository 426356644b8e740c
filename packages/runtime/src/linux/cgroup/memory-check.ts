// linux.resources.memory.checkBeforeUpdate (runtime-spec, "Memory"): a limit below what is in use is refused, not enforced by reclaim or
// the OOM killer.
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import type { MemoryResources } from "@teu/specs/runtime";
import { type CgroupRecord, cgroupDirectory } from "./record.ts";

const LIMIT = 64;

/** Throws `conflict` when the new limit is below the memory in use and the check is asked for. */
export function checkMemoryLimit(kernel: Kernel, record: CgroupRecord, memory: MemoryResources | undefined): void {
  const { limit = 0, checkBeforeUpdate = false } = memory ?? {};
  const unified = record.kind === "unified";
  const path = cgroupDirectory(record, unified ? "" : "memory");
  if (!checkBeforeUpdate || limit <= 0 || path === null) return;
  const file = unified ? "memory.current" : "memory.usage_in_bytes";
  const used = Number(kernel.fs.readTextAt(AT_FDCWD, `${path}/${file}`, LIMIT).trim());
  if (used <= limit) return;
  throw new TeuError({
    code: "conflict",
    op: "set memory limit",
    subject: String(limit),
    message: `rejecting memory limit ${limit} < usage ${used}, as checkBeforeUpdate asks for`,
  });
}
