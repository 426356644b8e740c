// Documents that are no documents: each must be refused soon and cleanly, and files of the image must not stop the runtime.

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Spec } from "@teu/specs/runtime";
import { type Bench, type RuntimeCase, expectFailure, expectOk, withLinux, withProcess } from "../case.ts";

/** Puts it at the path. */
type Make = (path: string) => void;

const BAD: Readonly<Record<string, Make>> = {
  "a FIFO": (path) => void spawnSync("mkfifo", [path]),
  "an endless device": (path) => symlinkSync("/dev/zero", path),
  "a directory": (path) => mkdirSync(path),
  "2 GiB of nothing": (path) => {
    writeFileSync(path, "");
    truncateSync(path, 2 ** 31);
  },
  "an empty file": (path) => writeFileSync(path, ""),
  "100,000 arrays in each other": (path) => writeFileSync(path, "[".repeat(100_000) + "]".repeat(100_000)),
  "100,000 objects in each other": (path) => writeFileSync(path, '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000)),
  "20 MiB of blanks": (path) => writeFileSync(path, " ".repeat(20 << 20)),
  "bytes that are no UTF-8": (path) =>
    writeFileSync(path, Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])),
  "text cut in the middle": (path) => writeFileSync(path, '{"ociVersion":"1.0.2","process":{"args":["/bin/tr'),
  "a number": (path) => writeFileSync(path, "1e999"),
};

const MEMORY_KIB = 1 << 20;

/** Not killed, not waiting: an error with a status of its own. */
function expectClean(outcome: ReturnType<Bench["call"]>): void {
  expectFailure(outcome);
  if (outcome.code === -1) throw new Error("hangs, or is killed by a signal");
  if (outcome.code > 128 && outcome.code < 255) throw new Error(`exit ${outcome.code}: crashed`);
}

const LONG = "a".repeat(70_000);

/** Texts of 70,000 bytes: some runtimes hand them on with a length of 16 bits. */
const LONG_TEXTS: Readonly<Record<string, (spec: Spec) => Spec>> = {
  hostname: (spec) => ({ ...spec, hostname: LONG }),
  "root.path": (spec) => ({ ...spec, root: { path: `/${LONG}` } }),
  "process.cwd": (spec) => withProcess(spec, { cwd: `/${LONG}` }),
  "process.args": (spec) => withProcess(spec, { args: ["/bin/true", LONG, LONG] }),
  "process.env": (spec) => withProcess(spec, { env: [`A=${LONG}${LONG}`] }),
  "a mount's destination": (spec) => ({
    ...spec,
    mounts: [...(spec.mounts ?? []), { destination: `/${LONG}`, type: "tmpfs", source: "tmpfs" }],
  }),
  "a mount's option": (spec) => ({
    ...spec,
    mounts: [...(spec.mounts ?? []), { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: [LONG] }],
  }),
  "linux.cgroupsPath": (spec) => withLinux(spec, { cgroupsPath: `/${LONG}` }),
  "a namespace's path": (spec) =>
    withLinux(spec, {
      namespaces: (spec.linux?.namespaces ?? []).map((one) =>
        one.type === "ipc" ? { ...one, path: `/${LONG}` } : one,
      ),
    }),
  "a masked path": (spec) => withLinux(spec, { maskedPaths: [`/${LONG}`] }),
  "a sysctl": (spec) => withLinux(spec, { sysctl: { "net.ipv4.ip_forward": LONG } }),
};

export const cases: readonly RuntimeCase[] = [
  ...Object.entries(LONG_TEXTS).map(([what, change]): RuntimeCase => ({
    name: `documents: ${what} of 70,000 bytes: a clean error, or it is as given`,
    cve: "CVE-2021-43784",
    run: (bench) => {
      const outcome = bench.run(bench.bundle(change));
      if (outcome.code === 0) return;
      expectClean(outcome);
    },
  })),
  ...Object.entries(BAD).map(([what, make]): RuntimeCase => ({
    name: `documents: config.json is ${what}: a clean error`,
    run: (bench) => {
      const bundle = bench.script("true");
      rmSync(join(bundle.path, "config.json"));
      make(join(bundle.path, "config.json"));
      expectClean(bench.callWith({ memoryKiB: MEMORY_KIB }, "run", "--bundle", bundle.path, bench.id()));
    },
  })),
  ...["a FIFO", "2 GiB of nothing", "100,000 arrays in each other", "a number"].map((what): RuntimeCase => ({
    name: `documents: the process of exec or the resources of update are ${what}: a clean error`,
    run: (bench) => {
      const id = bench.started(bench.script("sleep 60"));
      const path = join(bench.directory, "document.json");
      BAD[what]?.(path);
      expectClean(bench.callWith({ memoryKiB: MEMORY_KIB }, "exec", "--process", path, id));
      expectClean(bench.callWith({ memoryKiB: MEMORY_KIB }, "update", "--resources", path, id));
      expectOk(bench.call("exec", id, "/bin/true"));
    },
  })),
  ...["a FIFO", "an endless device", "a directory", "2 GiB of nothing"].map((what): RuntimeCase => ({
    name: `documents: the image's /etc/passwd and /etc/group are ${what}: programs start all the same, or are refused`,
    run: (bench) => {
      const bundle = bench.script("sleep 60");
      for (const name of ["passwd", "group"]) BAD[what]?.(join(bundle.rootfs, "etc", name));
      const id = bench.id();
      const outcome = bench.callWith({ memoryKiB: MEMORY_KIB }, "run", "--detach", "--bundle", bundle.path, id);
      if (outcome.code === -1) throw new Error("run hangs");
      if (outcome.code === 0 && bench.call("exec", "--user", "0", id, "/bin/true").code === -1)
        throw new Error("exec hangs");
    },
  })),
];
