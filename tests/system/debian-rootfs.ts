// A real Debian root file system (mmdebstrap, about 8,700 entries, 170 MB), made once and kept in .cache of the checkout.

import { execFileSync } from "node:child_process";
import { accessSync, existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";

const CACHE = join(import.meta.dirname, "../../.cache");

/** Why it cannot be made here; undefined when it can. */
export const NO_DEBIAN: string | undefined = missing("/usr/bin/mmdebstrap") ? "mmdebstrap is not installed" : undefined;

/** Path of the tar; makes it when it is not there yet (about half a minute). Visible only when whole. */
export function debianRootfs(): string {
  const file = join(CACHE, "debian-bookworm.tar");
  if (existsSync(file)) return file;
  mkdirSync(CACHE, { recursive: true });
  const temporary = join(CACHE, `debian-${process.pid}.tar`);
  execFileSync("mmdebstrap", ["--quiet", "--variant=minbase", "bookworm", temporary], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  renameSync(temporary, file);
  return file;
}

function missing(program: string): boolean {
  try {
    accessSync(program);
    return false;
  } catch {
    return true;
  }
}
