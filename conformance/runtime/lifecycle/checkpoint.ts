// Checkpoint and restore through CRIU: what ran goes on where it was. Skipped where CRIU does not work (`criu check`), or the runtime has none.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Bench,
  type Bundle,
  type RuntimeCase,
  Skip,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
} from "../case.ts";

/** Counts in /tmp/count, whole at any moment. */
const COUNT =
  "exec </dev/null >/dev/null 2>&1; i=0; while :; do i=$((i+1)); echo $i >/tmp/next; busybox mv /tmp/next /tmp/count; sleep 0.05; done";

function needCriu(bench: Bench): void {
  const check = spawnSync("criu", ["check"], { encoding: "utf8" });
  if (check.error !== undefined) throw new Skip("criu is not installed");
  if (check.status !== 0)
    throw new Skip(`criu does not work on this kernel: ${check.stderr.trim().split("\n")[0] ?? ""}`);
  const help = bench.call("checkpoint", "--help");
  if (help.code !== 0) throw new Skip("the runtime has no checkpoint");
}

function counting(bench: Bench): Bundle {
  return bench.script(COUNT, (spec) => ({ ...spec, root: { path: "rootfs" } }));
}

function count(bundle: Bundle): number {
  return Number(readFileSync(join(bundle.rootfs, "tmp/count"), "utf8"));
}

/** A container that has begun to count. */
function startCounting(bench: Bench, bundle: Bundle): string {
  const id = bench.started(bundle);
  goesOn(bench, bundle, 0);
  return id;
}

function goesOn(bench: Bench, bundle: Bundle, from: number): void {
  bench.until(`the count goes beyond ${from}`, () => {
    try {
      return count(bundle) > from;
    } catch {
      return false;
    }
  });
}

function checkpoint(bench: Bench, id: string, ...flags: string[]): string {
  const images = join(bench.directory, `images-${id}`);
  const outcome = bench.call("checkpoint", "--image-path", images, "--work-path", images, ...flags, id);
  if (/not supported|without CRIU|not compiled/i.test(outcome.err)) throw new Skip(outcome.err);
  expectOk(outcome);
  return images;
}

function restore(bench: Bench, bundle: Bundle, images: string, id: string): void {
  const paths = ["--image-path", images, "--work-path", images, "--bundle", bundle.path];
  expectOk(bench.call("restore", "--detach", ...paths, "--pid-file", join(bench.directory, "pid"), id));
}

/** As the host sees it, on cgroup v1 or v2. */
function pidsLimit(bench: Bench, id: string): string {
  const { pid } = JSON.parse(expectOk(bench.call("state", id)).out) as { pid: number };
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const v1 = lines.find((line) => /^\d+:pids:/.test(line));
  const path = (v1 ?? lines.find((line) => line.startsWith("0::")) ?? "").replace(/^[^:]*:[^:]*:/, "");
  return readFileSync(`/sys/fs/cgroup/${v1 === undefined ? "" : "pids"}${path}/pids.max`, "utf8").trim();
}

/** The case with what it always needs. */
function criuCase(name: string, run: (bench: Bench) => void): RuntimeCase {
  return {
    name,
    run: (bench) => {
      needCriu(bench);
      run(bench);
    },
  };
}

/** Every case of this file. */
export const cases: readonly RuntimeCase[] = [
  criuCase(
    "checkpoint, restore: the program goes on where it was, and answers to state, exec, kill and delete",
    (bench) => {
      const bundle = counting(bench);
      const id = startCounting(bench, bundle);
      const images = checkpoint(bench, id);
      expectMatch(expectFailure(bench.call("state", id)).err, /does not exist/);
      const before = count(bundle);
      restore(bench, bundle, images, id);
      goesOn(bench, bundle, before);
      if (count(bundle) > before + 100) throw new Error(`${count(bundle)} is no continuation of ${before}`);
      const state = JSON.parse(expectOk(bench.call("state", id)).out) as { status: string; pid: number };
      expectEqual(state.status, "running");
      expectEqual(String(state.pid), readFileSync(join(bench.directory, "pid"), "utf8"), "pid file");
      expectEqual(expectOk(bench.call("exec", id, "/bin/echo", "inside")).out, "inside");
      expectOk(bench.call("kill", id, "KILL"));
      bench.until("stopped", () => bench.status(id) === "stopped");
      expectOk(bench.call("delete", id));
    },
  ),
  criuCase("checkpoint: --leave-running leaves it running", (bench) => {
    const bundle = counting(bench);
    const id = startCounting(bench, bundle);
    checkpoint(bench, id, "--leave-running");
    expectEqual(bench.status(id), "running");
    goesOn(bench, bundle, count(bundle));
  }),
  criuCase("restore: under another id", (bench) => {
    const bundle = counting(bench);
    const images = checkpoint(bench, startCounting(bench, bundle));
    const before = count(bundle);
    const id = bench.id();
    restore(bench, bundle, images, id);
    goesOn(bench, bundle, before);
    expectEqual(bench.status(id), "running");
  }),
  criuCase("restore: bind mounts are those of config.json, not of the images", (bench) => {
    const data = join(bench.directory, "data");
    mkdirSync(data);
    writeFileSync(join(data, "file"), "old");
    const bundle = bench.script(COUNT, (spec) => ({
      ...spec,
      root: { path: "rootfs" },
      mounts: [
        ...(spec.mounts ?? []),
        { destination: "/data", type: "bind", source: data, options: ["bind", "ro"] },
        { destination: "/etc/file", type: "bind", source: join(data, "file"), options: ["bind"] },
      ],
    }));
    const id = startCounting(bench, bundle);
    const images = checkpoint(bench, id);
    writeFileSync(join(data, "file"), "new");
    restore(bench, bundle, images, id);
    expectEqual(expectOk(bench.call("exec", id, "/bin/cat", "/data/file", "/etc/file")).out, "newnew");
    expectFailure(bench.call("exec", id, "/bin/touch", "/data/other"));
  }),
  criuCase("restore: limits are those of config.json", (bench) => {
    const bundle = bench.script(COUNT, (spec) =>
      withLinux({ ...spec, root: { path: "rootfs" } }, { resources: { pids: { limit: 50 } } }),
    );
    const id = startCounting(bench, bundle);
    const images = checkpoint(bench, id);
    restore(bench, bundle, images, id);
    expectEqual(pidsLimit(bench, id), "50");
  }),
  criuCase("restore: a network namespace that is joined by path is not remade", (bench) => {
    const file = join(bench.directory, "net");
    writeFileSync(file, "");
    expectOk({ code: spawnSync("unshare", [`--net=${file}`, "true"]).status ?? -1, out: "", err: "unshare --net" });
    bench.defer(() => spawnSync("umount", [file]));
    const bundle = bench.script(COUNT, (spec) =>
      withLinux(
        { ...spec, root: { path: "rootfs" } },
        {
          namespaces: (spec.linux?.namespaces ?? []).map((one) =>
            one.type === "network" ? { ...one, path: file } : one,
          ),
        },
      ),
    );
    const id = startCounting(bench, bundle);
    const before = expectOk(bench.call("exec", id, "/bin/readlink", "/proc/1/ns/net")).out;
    restore(bench, bundle, checkpoint(bench, id), id);
    expectEqual(expectOk(bench.call("exec", id, "/bin/readlink", "/proc/1/ns/net")).out, before);
  }),
  criuCase("checkpoint: --pre-dump, then the rest relative to it", (bench) => {
    const bundle = counting(bench);
    const id = startCounting(bench, bundle);
    const outcome = bench.call("checkpoint", "--pre-dump", "--image-path", join(bench.directory, "pre"), id);
    if (/MEM_SOFT_DIRTY|mem_track|MemTrack|Dirty tracking|missing features/i.test(outcome.err))
      throw new Skip("this kernel has no CONFIG_MEM_SOFT_DIRTY");
    expectOk(outcome);
    expectEqual(bench.status(id), "running");
    const images = checkpoint(bench, id, "--parent-path", "../pre");
    const before = count(bundle);
    restore(bench, bundle, images, id);
    goesOn(bench, bundle, before);
  }),
];
