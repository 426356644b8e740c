// What the benchmarks of the runtime share: a standard bundle, the peers, and a place for state directories like /run on real hosts.

import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A runtime to measure. */
export interface Peer {
  readonly name: string;
  readonly path: string;
}

/** teu-runtime, and crun and runc where they are installed. */
export function peers(): Peer[] {
  const all = [
    { name: "teu-runtime", path: join(import.meta.dirname, "../bin/teu-runtime") },
    { name: "crun", path: "/usr/bin/crun" },
    { name: "runc", path: "/usr/sbin/runc" },
  ];
  return all.filter(({ path }) => existsSync(path));
}

/** A bundle as `runc spec` writes it, without terminal, that runs a busybox applet; whoever calls removes `dir`. */
export function makeBundle(dir: string, args: readonly string[]): string {
  const bundle = mkdtempSync(join(dir, "bundle-"));
  mkdirSync(join(bundle, "rootfs/bin"), { recursive: true });
  copyFileSync("/bin/busybox", join(bundle, "rootfs/bin/busybox"));
  for (const applet of ["true", "sleep"]) symlinkSync("busybox", join(bundle, "rootfs/bin", applet));
  execFileSync("runc", ["spec", "--bundle", bundle]);
  const spec = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")) as {
    ociVersion: string;
    process: { terminal: boolean; args: readonly string[]; rlimits?: unknown };
  };
  // Debian's crun 1.8 refuses spec versions that are newer than itself.
  spec.ociVersion = "1.0.2";
  spec.process.terminal = false;
  spec.process.args = args;
  delete spec.process.rlimits;
  writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
  return bundle;
}

/**
 * Calls `body` with a new directory on a tmpfs, which is what /run is: on a disk the price of a new file depends on what others have
 * removed lately. Inside a private mount namespace only.
 */
export function onTmpfs(body: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), "teu-bench-"));
  execFileSync("mount", ["-t", "tmpfs", "teu-bench", dir]);
  try {
    body(dir);
  } finally {
    execFileSync("umount", ["--lazy", dir]);
    rmSync(dir, { recursive: true });
  }
}
