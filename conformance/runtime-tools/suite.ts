// runtime-tools' validation programs: built from Go's module cache, and run one at a time against one runtime, in isolation.

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { rmSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MODULE = "github.com/opencontainers/runtime-tools";
const CACHE = join(import.meta.dirname, "../../.cache/runtime-tools");
const ROOT_ARCHIVE = `rootfs-${process.arch === "arm64" ? "arm64" : "amd64"}.tar.gz`;
const TIMEOUT_MS = 90_000;

/** Builds the programs of the pinned version unless they are there. Returns the directory to run them in, and their names. */
export function buildSuite(): { readonly directory: string; readonly programs: readonly string[] } {
  const [version = "", source = ""] = go("list", "-m", "-f", "{{.Version}} {{.Dir}}", MODULE).split(" ");
  const directory = join(CACHE, version);
  const programs = readdirSync(join(source, "validation"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "util")
    .map(({ name }) => name);
  if (!existsSync(join(directory, ROOT_ARCHIVE))) {
    mkdirSync(directory, { recursive: true });
    go("build", "-o", `${directory}/`, `${MODULE}/validation/...`, `${MODULE}/cmd/runtimetest`);
    // The programs unpack their root file system from where they are started; the module has it for amd64 only. Last: the proof.
    copyFileSync(join(source, ROOT_ARCHIVE), join(directory, ROOT_ARCHIVE));
  }
  return { directory, programs };
}

function go(...args: string[]): string {
  // Without the C library: runtimetest runs in a root that has none.
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=mod" };
  const { status, stdout, stderr, error } = spawnSync("go", args, { cwd: import.meta.dirname, encoding: "utf8", env });
  if (status !== 0) throw new Error(`go ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout.trim();
}

/** How one program ended. */
export interface Result {
  readonly passed: boolean;
  /** Lines "ok" and "not ok" of its TAP. */
  readonly ok: number;
  readonly notOk: number;
  /** All that it printed. */
  readonly text: string;
}

/** Runs one program in a mount namespace of its own, with the runtime's state in a directory of its own; tidies up after it. */
export function runProgram(directory: string, name: string, runtime: string): Result {
  const scratch = mkdtempSync(join(tmpdir(), "teu-runtime-tools-"));
  // A container with a user namespace of its own has to find its root below it.
  chmodSync(scratch, 0o755);
  const wrapper = join(scratch, "runtime");
  writeFileSync(wrapper, wrapperScript(runtime, join(scratch, "state")));
  chmodSync(wrapper, 0o755);
  try {
    const { status, stdout, stderr } = spawnSync(
      "unshare",
      ["--mount", "--propagation", "private", join(directory, name)],
      {
        cwd: directory,
        encoding: "utf8",
        env: { ...process.env, RUNTIME: wrapper, TMPDIR: scratch },
        timeout: TIMEOUT_MS,
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    return judge(status, stdout, stderr);
  } finally {
    const left = spawnSync(wrapper, ["list", "--quiet"], { encoding: "utf8" }).stdout.split("\n");
    for (const id of left.filter((line) => line !== "")) spawnSync(wrapper, ["delete", "--force", id]);
    removeCgroups();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Programs print TAP, or nothing but an error in YAML, or nothing at all when they pass; the exit status is mostly 0. */
function judge(status: number | null, stdout: string, stderr: string): Result {
  const lines = stdout.split("\n");
  const ok = lines.filter((line) => line.startsWith("ok ")).length;
  const notOk = lines.filter((line) => line.startsWith("not ok ") && !/# TODO/i.test(line)).length;
  const bareError = ok === 0 && stdout.includes('"error":');
  return { passed: status === 0 && notOk === 0 && !bareError, ok, notOk, text: `${stdout}${stderr}` };
}

/** Older crun refuses configurations that say they are newer than it: they are made to say 1.0.2, of which they use no more. */
function wrapperScript(runtime: string, state: string): string {
  return `#!/bin/sh
bundle=. previous=
for word in "$@"; do
  [ "$previous" != --bundle ] || bundle=$word
  previous=$word
done
if [ "$1" = create ] && [ -f "$bundle/config.json" ] && "${runtime}" --version | grep -q '^crun version 1\\.[0-9]\\.'; then
  sed -i 's/"ociVersion": *"[^"]*"/"ociVersion": "1.0.2"/' "$bundle/config.json"
fi
exec "${runtime}" --root "${state}" "$@"
`;
}

// The two cgroups that the programs name. Runtimes leave parents, or everything when a program deletes nothing.
const PATHS = ["cgrouptest", "testdir/cgrouptest/container"];

function removeCgroups(): void {
  const own = new Map(
    readFileSync("/proc/self/cgroup", "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(":"))
      .map(([, controllers = "", path = ""]) => [
        controllers === "" ? "unified" : controllers.replace("name=", ""),
        path,
      ]),
  );
  for (const hierarchy of readdirSync("/sys/fs/cgroup"))
    for (const parent of new Set(["/", own.get(hierarchy) ?? "/"]))
      for (const path of PATHS) removeCgroup(join("/sys/fs/cgroup", hierarchy, parent), path);
}

function removeCgroup(base: string, path: string): void {
  for (let rest = path; rest !== "."; rest = join(rest, "..")) {
    try {
      rmdirSync(join(base, rest));
    } catch (error) {
      // Not there, or in use by somebody who happens to have the name.
      const { code } = error as { code?: string };
      if (!["ENOENT", "ENOTDIR", "EBUSY", "ENOTEMPTY"].includes(code ?? "")) throw error;
    }
  }
}
