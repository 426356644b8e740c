// Descriptors and binaries of the host must not be reachable from inside. Each case names the attack.

import { createHash } from "node:crypto";
import { readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RuntimeCase, expectEqual, expectFailure, expectOk, withProcess } from "../case.ts";

const digest = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

export const cases: readonly RuntimeCase[] = [
  {
    name: "descriptors: the program has 0, 1 and 2 only",
    cve: "CVE-2024-21626",
    // The fourth is the directory that ls reads.
    run: (bench) => expectEqual(expectOk(bench.run(bench.script("ls /proc/self/fd | wc -l"))).out.trim(), "4"),
  },
  {
    name: "descriptors: exec has 0, 1 and 2 only",
    cve: "CVE-2024-21626",
    run: (bench) =>
      expectEqual(
        expectOk(
          bench.call("exec", bench.started(bench.script("sleep 30")), "/bin/sh", "-c", "ls /proc/self/fd | wc -l"),
        ).out.trim(),
        "4",
      ),
  },
  ...[3, 4, 5, 6, 7, 8, 9, 10].map((fd): RuntimeCase => ({
    name: `cwd: /proc/self/fd/${fd} is refused`,
    cve: "CVE-2024-21626",
    run: (bench) =>
      void expectFailure(bench.run(bench.bundle((spec) => withProcess(spec, { cwd: `/proc/self/fd/${fd}` })))),
  })),
  {
    name: "exec --cwd: /proc/self/fd/N is refused",
    cve: "CVE-2024-21626",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30"));
      for (let fd = 3; fd <= 12; fd++)
        expectFailure(bench.call("exec", "--cwd", `/proc/self/fd/${fd}`, id, "/bin/true"));
    },
  },
  {
    name: "binary: the entry point /proc/self/exe does not run the host's program, nor can it be written",
    cve: "CVE-2019-5736",
    run: (bench) => {
      const before = digest(realpathSync(bench.runtime));
      const bundle = bench.bundle((spec) => withProcess(spec, { args: ["/bin/entry"] }));
      symlinkSync("/proc/self/exe", join(bundle.rootfs, "bin/entry"));
      bench.run(bundle);
      const writer = bench.script(
        "while :; do for p in /proc/[0-9]*; do if (: >>$p/exe) 2>/dev/null; then echo written >>/tmp/written; fi; done; done",
        (spec) =>
          withProcess(
            { ...spec, root: { path: "rootfs" } },
            {
              capabilities: {
                bounding: ["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"],
                effective: ["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"],
                permitted: ["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"],
              },
            },
          ),
      );
      const id = bench.started(writer);
      for (let tries = 0; tries < 20; tries++) bench.call("exec", id, "/bin/true");
      bench.call("delete", "--force", id);
      expectEqual(digest(realpathSync(bench.runtime)), before, "digest of the runtime");
    },
  },
  {
    name: "exec: no descriptor of the joining process is readable from inside",
    cve: "CVE-2016-9962",
    run: (bench) => {
      const script =
        'while :; do for l in /proc/[0-9]*/fd/*; do t=$(readlink $l 2>/dev/null) || continue; case $t in */teu-conformance-*root*|/sys/fs/cgroup*|/run/*) echo "$t" >>/tmp/leak;; esac; done; done';
      const bundle = bench.script(script, (spec) => ({ ...spec, root: { path: "rootfs" } }));
      const id = bench.started(bundle);
      for (let tries = 0; tries < 40; tries++) bench.call("exec", id, "/bin/true");
      rmSync(join(bundle.rootfs, "tmp/none"), { force: true });
      writeFileSync(join(bundle.rootfs, "tmp/end"), "");
      let leaked = "";
      try {
        leaked = readFileSync(join(bundle.rootfs, "tmp/leak"), "utf8");
      } catch {
        // No such file: nothing leaked.
      }
      expectEqual(leaked, "", "paths of the host seen");
    },
  },
];
