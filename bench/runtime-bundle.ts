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
import { hostFacts } from "@teu/engine/containers/spec/host-facts";
import { defaultFilter } from "@teu/engine/containers/spec/seccomp";

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

/** config.json, as far as bundles differ. */
interface BundleSpec {
  ociVersion: string;
  process: {
    terminal: boolean;
    args: readonly string[];
    capabilities: { bounding: readonly string[] };
    rlimits?: unknown;
  };
  linux: { seccomp?: unknown };
}

/**
 * A bundle as `runc spec` writes it, without terminal, that runs a busybox applet; with `filtered` under Docker's default seccomp
 * profile, as our engine writes it. Whoever calls removes `dir`.
 */
export function makeBundle(dir: string, args: readonly string[], filtered = false): string {
  const bundle = mkdtempSync(join(dir, "bundle-"));
  mkdirSync(join(bundle, "rootfs/bin"), { recursive: true });
  copyFileSync("/bin/busybox", join(bundle, "rootfs/bin/busybox"));
  for (const applet of ["true", "sleep"]) symlinkSync("busybox", join(bundle, "rootfs/bin", applet));
  execFileSync("runc", ["spec", "--bundle", bundle]);
  const spec = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")) as BundleSpec;
  // Debian's crun 1.8 refuses spec versions that are newer than itself.
  spec.ociVersion = "1.0.2";
  spec.process.terminal = false;
  spec.process.args = args;
  delete spec.process.rlimits;
  if (filtered) spec.linux.seccomp = defaultFilter(spec.process.capabilities.bounding, hostFacts());
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
