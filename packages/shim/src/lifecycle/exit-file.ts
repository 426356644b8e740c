// exit.json: how the container ended. It survives power cuts beside the container; when that disk is full or gone, it survives in
// RUNROOT, from where the engine brings it to its place later.
// portable: no host types here.

import { AT_FDCWD } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import type { ExitRecord, ShimConfig } from "../protocol.ts";
import { removeFile, writeJsonFile } from "./durable-file.ts";

/** Writes it. Returns what kept it from its own place, if something did. @throws when it could be written nowhere. */
export function writeExitFile(kernel: Kernel, config: ShimConfig, record: ExitRecord): unknown {
  const fallback = fallbackOf(config);
  try {
    writeJsonFile(kernel, config.exitFile, record, true);
  } catch (error) {
    if (fallback === config.exitFile) throw error;
    writeJsonFile(kernel, fallback, record, false);
    return error;
  }
  if (fallback !== config.exitFile) removeFile(kernel, fallback);
  return undefined;
}

/** Null when there is none. */
export function readExitFile(kernel: Kernel, config: ShimConfig): ExitRecord | null {
  const path = [fallbackOf(config), config.exitFile].find((one) => kernel.fs.accessAt(AT_FDCWD, one, 0));
  return path === undefined ? null : (JSON.parse(kernel.fs.readTextAt(AT_FDCWD, path, 65_536)) as ExitRecord);
}

function fallbackOf(config: ShimConfig): string {
  return `${config.runDir}/exit.json`;
}
