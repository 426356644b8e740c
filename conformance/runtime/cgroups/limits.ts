// cgroups: limits are set and hold, everything is in them, nothing is left (runtime-spec, "Control groups").

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LinuxResources, Spec } from "@teu/specs/runtime";
import { type RuntimeCase, Skip, expectEqual, expectFailure, expectOk, withLinux } from "../case.ts";

const withResources =
  (resources: LinuxResources, path: string) =>
  (spec: Spec): Spec =>
    withLinux(spec, { resources: { ...spec.linux?.resources, ...resources }, cgroupsPath: path });

/** The file of the container's cgroup on v1 or v2. */
function cgroupFile(path: string, controller: string, v1: string, v2: string): string {
  const legacy = join("/sys/fs/cgroup", controller, path, v1);
  return existsSync(join("/sys/fs/cgroup", controller)) ? legacy : join("/sys/fs/cgroup", path, v2);
}

export const cases: readonly RuntimeCase[] = [
  {
    name: "cgroups: memory, pids and cpu limits are in the files, and gone with the container",
    run: (bench) => {
      const path = `/teu-conf-${process.pid}-a`;
      const id = bench.started(
        bench.script(
          "sleep 30",
          withResources(
            { memory: { limit: 33_554_432 }, pids: { limit: 17 }, cpu: { quota: 20_000, period: 100_000 } },
            path,
          ),
        ),
      );
      const memory = cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max");
      expectEqual(readFileSync(memory, "utf8").trim(), "33554432");
      expectEqual(readFileSync(cgroupFile(path, "pids", "pids.max", "pids.max"), "utf8").trim(), "17");
      expectOk(bench.call("delete", "--force", id));
      expectEqual(existsSync(memory), false);
    },
  },
  {
    name: "cgroups: pids limit holds",
    run: (bench) =>
      void expectFailure(
        bench.run(
          bench.script(
            "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait",
            withResources({ pids: { limit: 4 } }, `/teu-conf-${process.pid}-b`),
          ),
        ),
      ),
  },
  {
    name: "cgroups: exec is in the container's cgroup",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30", withResources({}, `/teu-conf-${process.pid}-c`)));
      expectEqual(
        expectOk(bench.call("exec", id, "/bin/sh", "-c", "cat /proc/self/cgroup")).out,
        expectOk(bench.call("exec", id, "/bin/sh", "-c", "cat /proc/1/cgroup")).out,
      );
    },
  },
  {
    name: "update: changes a limit",
    run: (bench) => {
      const path = `/teu-conf-${process.pid}-d`;
      const id = bench.started(bench.script("sleep 30", withResources({ memory: { limit: 33_554_432 } }, path)));
      expectOk(
        bench.callWith(
          { input: JSON.stringify({ memory: { limit: 50_331_648 }, pids: { limit: 9 } }) },
          "update",
          "--resources",
          "-",
          id,
        ),
      );
      expectEqual(
        readFileSync(cgroupFile(path, "memory", "memory.limit_in_bytes", "memory.max"), "utf8").trim(),
        "50331648",
      );
      expectEqual(readFileSync(cgroupFile(path, "pids", "pids.max", "pids.max"), "utf8").trim(), "9");
    },
  },
  {
    name: "cgroups: a failed create leaves none",
    run: (bench) => {
      const path = `/teu-conf-${process.pid}-e`;
      const bundle = bench.bundle((spec) =>
        withResources({}, path)({ ...spec, process: { cwd: "/", args: ["/nope"] } }),
      );
      expectFailure(bench.call("create", "--bundle", bundle.path, bench.id()));
      expectEqual(existsSync(cgroupFile(path, "memory", "tasks", "cgroup.procs")), false);
    },
  },
  {
    name: "devices: only what is allowed can be opened",
    cve: "device list",
    run: (bench) => {
      if (!existsSync("/dev/vda") && !existsSync("/dev/sda") && !existsSync("/dev/loop0"))
        throw new Skip("no block device on this host");
      const numbers = existsSync("/dev/vda") ? "$(cat /sys/block/vda/dev | tr : ' ')" : "8 0";
      const bundle = bench.script(
        `mknod /tmp/d b ${numbers} && ! dd if=/tmp/d of=/dev/null bs=1 count=1 2>/dev/null && dd if=/dev/zero of=/dev/null bs=1 count=1`,
        (spec) => ({
          ...spec,
          root: { path: "rootfs" },
          process: {
            ...spec.process,
            cwd: "/",
            capabilities: { bounding: ["CAP_MKNOD"], effective: ["CAP_MKNOD"], permitted: ["CAP_MKNOD"] },
          },
        }),
      );
      expectOk(bench.run(bundle));
    },
  },
];
