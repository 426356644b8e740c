// A CRIU that works on this kernel: the installed one, or Debian's newest, unpacked aside under dist/newer-criu with the libraries that it
// wants. Debian 12's cannot read the vDSO of Linux 6.13 and later.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PLACE = join(import.meta.dirname, "../../dist/newer-criu");
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MULTIARCH = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";

/** The PATH entries to put before all others (none, when the installed one works), or why there is no CRIU to test with. */
export function workingCriu(): { readonly path: readonly string[] } | { readonly reason: string } {
  if (works("criu")) return { path: [] };
  const directory = join(PLACE, "bin");
  if (!existsSync(directory)) {
    const reason = unpack();
    if (reason !== "") return { reason };
  }
  return works(join(directory, "criu"))
    ? { path: [directory] }
    : { reason: "neither the installed CRIU nor Debian's newest works on this kernel" };
}

function works(criu: string): boolean {
  return spawnSync(criu, ["check"]).status === 0;
}

/** Returns why not. Nothing is installed: apt works with lists and caches of its own. */
function unpack(): string {
  const work = `${PLACE}.${process.pid}`;
  try {
    return fetch(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function fetch(work: string): string {
  for (const name of ["lists/partial", "cache/archives/partial", "debs", "root"])
    mkdirSync(join(work, name), { recursive: true });
  const mirror = spawnSync("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], {
    encoding: "utf8",
  }).stdout?.split("\n")[0];
  if (mirror === undefined || mirror === "") return "no package mirror is configured";
  writeFileSync(join(work, "sources"), `deb [signed-by=${KEYRING}] ${mirror} sid main\n`);
  writeFileSync(
    join(work, "apt.conf"),
    `Dir::Etc::sourcelist "${work}/sources";
Dir::Etc::sourceparts "-";
Dir::State::lists "${work}/lists";
Dir::Cache "${work}/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
`,
  );
  const apt = (...argv: string[]): string | null => {
    const env = { ...process.env, APT_CONFIG: join(work, "apt.conf") };
    const { status, stdout } = spawnSync(argv[0] ?? "", argv.slice(1), {
      encoding: "utf8",
      cwd: join(work, "debs"),
      env,
    });
    return status === 0 ? stdout : null;
  };
  const none = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);
  if (apt("apt-get", "-qq", "update") === null) return "the package mirror is not reachable";
  const depends = apt("apt-cache", "depends", "--recurse", ...none, "criu") ?? "";
  const names = depends.split("\n").filter((line) => /^(criu|lib[a-z0-9.+-]+)$/.test(line));
  if (!names.includes("criu") || apt("apt-get", "-qq", "download", ...new Set(names)) === null)
    return "the package mirror has no CRIU";
  const root = join(PLACE, "root");
  for (const deb of readdirSync(join(work, "debs")))
    spawnSync("dpkg-deb", ["-x", join(work, "debs", deb), join(work, "root")]);
  mkdirSync(join(work, "bin"));
  const libraries = `${root}/usr/lib/${MULTIARCH}`;
  const loader = process.arch === "arm64" ? "ld-linux-aarch64.so.1" : "ld-linux-x86-64.so.2";
  writeFileSync(
    join(work, "bin/criu"),
    `#!/bin/sh\nexec ${libraries}/${loader} --library-path ${libraries} ${root}/usr/sbin/criu "$@"\n`,
    { mode: 0o755 },
  );
  mkdirSync(PLACE, { recursive: true });
  renameSync(join(work, "root"), root);
  renameSync(join(work, "bin"), join(PLACE, "bin"));
  return "";
}
