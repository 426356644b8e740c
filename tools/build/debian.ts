// Debian packages that teu is built with, runs on, or is compared with; installs those that are missing.
// A package counts as there when its proof exists, so that a tool installed by other means is taken as well.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** When a package is needed: to build, to run containers, to run the tests (peers to compare with), to run the benchmarks. */
export type Need = "build" | "run" | "test" | "bench";

interface DebianPackage {
  readonly name: string;
  readonly need: Need;
  /** A command, or an absolute path. */
  readonly proof: string;
  readonly why: string;
}

const MULTIARCH = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";

const PACKAGES: readonly DebianPackage[] = [
  { name: "gcc", need: "build", proof: "gcc", why: "compiles QuickJS and links the host" },
  {
    name: "libc6-dev",
    need: "build",
    proof: `/usr/lib/${MULTIARCH}/libc.a`,
    why: "links the tools that build the host",
  },
  { name: "musl-tools", need: "build", proof: "musl-gcc", why: "the C library of the host, which is linked static" },
  {
    name: "libseccomp-dev",
    need: "build",
    proof: `/usr/lib/${MULTIARCH}/libseccomp.a`,
    why: "the host compiles system call filters",
  },
  { name: "busybox-static", need: "run", proof: "busybox", why: "content of the example's base image" },
  { name: "nftables", need: "run", proof: "nft", why: "address translation of the bridge network" },
  { name: "runc", need: "test", proof: "runc", why: "peer: same bundles, same results" },
  { name: "crun", need: "test", proof: "crun", why: "peer: same bundles, same results" },
  { name: "skopeo", need: "test", proof: "skopeo", why: "peer: pushes to and pulls from our registry" },
  { name: "umoci", need: "test", proof: "umoci", why: "peer: reads our layouts, unpacks our layers" },
  {
    name: "docker-registry",
    need: "test",
    proof: "docker-registry",
    why: "peer: our client pushes to and pulls from it",
  },
  { name: "containerd", need: "test", proof: "containerd", why: "caller: its shim runs teu-runtime" },
  { name: "docker.io", need: "test", proof: "dockerd", why: "caller: dockerd runs teu-runtime" },
  {
    name: "tini",
    need: "test",
    proof: "tini-static",
    why: "first process of the namespaces that callers are tested in",
  },
  {
    name: "podman",
    need: "test",
    proof: "podman",
    why: "caller: podman and conmon run teu-runtime; peer in benchmarks",
  },
  { name: "conmon", need: "test", proof: "conmon", why: "caller: starts what podman runs" },
  { name: "buildah", need: "test", proof: "buildah", why: "caller: runs build steps with teu-runtime" },
  { name: "uidmap", need: "test", proof: "newuidmap", why: "maps ids of rootless containers" },
  {
    name: "qemu-system-x86",
    need: "test",
    proof: "qemu-system-x86_64",
    why: "a kernel with cgroup v2 alone (npm run test:vm)",
  },
  { name: "criu", need: "test", proof: "criu", why: "does checkpoint and restore; its Python part stands in for it" },
  { name: "mmdebstrap", need: "test", proof: "mmdebstrap", why: "makes a real root file system" },
  { name: "hyperfine", need: "bench", proof: "hyperfine", why: "measures commands" },
  { name: "wrk", need: "bench", proof: "wrk", why: "sends many requests to registries" },
  { name: "curl", need: "bench", proof: "curl", why: "moves large blobs to and from registries" },
];

const DIRECTORIES = [
  ...(process.env["PATH"] ?? "").split(":"),
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
  "/usr/bin",
  "/bin",
];

function present({ proof }: DebianPackage): boolean {
  return proof.startsWith("/")
    ? existsSync(proof)
    : DIRECTORIES.some((directory) => existsSync(join(directory, proof)));
}

/**
 * Installs what is missing for `needs`; says so first. Throws with what to do when it cannot.
 * Nothing is started and nothing is removed by this.
 */
export function installDebianPackages(needs: readonly Need[]): void {
  const missing = PACKAGES.filter((one) => needs.includes(one.need) && !present(one));
  if (missing.length === 0) return;
  console.error("set-up: these Debian packages are missing and will be installed:");
  for (const { name, why } of missing) console.error(`  ${name.padEnd(16)} ${why}`);
  const names = missing.map(({ name }) => name);
  const byHand = `install by hand: apt-get install ${names.join(" ")}`;
  if (process.geteuid?.() !== 0) throw new Error(`only root can install packages; ${byHand}`);
  if (spawnSync("apt-get", ["--version"]).error !== undefined) throw new Error(`there is no apt-get here; ${byHand}`);
  const install = ["install", "--yes", "--no-install-recommends", ...names];
  // The lists may be missing or old, and an earlier run may have been interrupted half-way: mend both, then try once more.
  if (apt(install)) return;
  spawnSync("dpkg", ["--configure", "-a"], { stdio: ["ignore", 2, 2] });
  if (apt(["update"]) && apt(install)) return;
  throw new Error(`apt-get failed (its output is above; is the package mirror reachable?); ${byHand}`);
}

function apt(argv: readonly string[]): boolean {
  // RUNLEVEL=1: a package's daemon (docker-registry) must not be started by its installation.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const options = ["-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"];
  return spawnSync("apt-get", [...options, ...argv], { env, stdio: ["ignore", 2, 2] }).status === 0;
}
