// Where and how a process may run: CPUs of exec, memory nodes, scheduling class (runtime-spec, "POSIX process", "Linux").

import {
  type RuntimeCase,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  needs,
  withLinux,
  withProcess,
} from "../case.ts";

const ALLOWED = ["/bin/grep", "Cpus_allowed_list", "/proc/self/status"];

export const cases: readonly RuntimeCase[] = [
  {
    name: "execCPUAffinity: exec runs on the final CPUs, init does not care",
    run: (bench) => {
      needs(bench, "execCPUAffinity", ({ ociVersionMax = "" }) => ociVersionMax >= "1.2.1");
      const bundle = bench.script("grep Cpus_allowed_list /proc/self/status; sleep 30", (spec) =>
        withProcess({ ...spec, ociVersion: "1.2.1" }, { execCPUAffinity: { initial: "0", final: "0" } }),
      );
      const id = bench.started(bundle);
      expectMatch(expectOk(bench.call("exec", id, ...ALLOWED)).out, /\t0$/);
      const init = expectOk(bench.call("exec", id, "/bin/grep", "Cpus_allowed_list", "/proc/1/status")).out;
      const own = expectOk(bench.run(bench.script("grep Cpus_allowed_list /proc/self/status"))).out;
      expectEqual(init, own);
    },
  },
  {
    name: "execCPUAffinity: without a final list the container's own CPUs",
    run: (bench) => {
      needs(bench, "execCPUAffinity", ({ ociVersionMax = "" }) => ociVersionMax >= "1.2.1");
      const bundle = bench.script("sleep 30", (spec) =>
        withProcess({ ...spec, ociVersion: "1.2.1" }, { execCPUAffinity: { initial: "0" } }),
      );
      const id = bench.started(bundle);
      const init = expectOk(bench.call("exec", id, "/bin/grep", "Cpus_allowed_list", "/proc/1/status")).out;
      expectEqual(expectOk(bench.call("exec", id, ...ALLOWED)).out, init);
    },
  },
  {
    name: "execCPUAffinity: error for what is no list",
    run: (bench) => {
      needs(bench, "execCPUAffinity", ({ ociVersionMax = "" }) => ociVersionMax >= "1.2.1");
      const bundle = bench.script("true", (spec) =>
        withProcess({ ...spec, ociVersion: "1.2.1" }, { execCPUAffinity: { initial: "first" } }),
      );
      expectFailure(bench.run(bundle));
    },
  },
  ...(
    [
      ["MPOL_BIND", "0", ["MPOL_F_STATIC_NODES"], /bind=static:0/],
      ["MPOL_INTERLEAVE", "0", ["MPOL_F_RELATIVE_NODES"], /interleave=relative:0/],
      ["MPOL_PREFERRED", "0", [], /prefer:0/],
      ["MPOL_PREFERRED_MANY", "0", [], /prefer \(many\):0/],
      ["MPOL_LOCAL", "", [], /local/],
      ["MPOL_WEIGHTED_INTERLEAVE", "0", [], /weighted interleave:0/],
    ] as const
  ).map(([mode, nodes, flags, pattern]): RuntimeCase => ({
    name: `memoryPolicy: ${mode}`,
    run: (bench) => {
      needs(bench, "memoryPolicy", ({ linux }) => modes(linux?.["memoryPolicy"]).includes(mode));
      const bundle = bench.script("cat /proc/self/numa_maps", (spec) =>
        withLinux({ ...spec, ociVersion: "1.3.0" }, { memoryPolicy: { mode, nodes, flags } }),
      );
      expectMatch(expectOk(bench.run(bundle)).out, pattern);
    },
  })),
  {
    name: "memoryPolicy: error for a node that is not there",
    run: (bench) => {
      needs(bench, "memoryPolicy", ({ linux }) => modes(linux?.["memoryPolicy"]).includes("MPOL_BIND"));
      const bundle = bench.script("true", (spec) =>
        withLinux({ ...spec, ociVersion: "1.3.0" }, { memoryPolicy: { mode: "MPOL_BIND", nodes: "63" } }),
      );
      expectFailure(bench.run(bundle));
    },
  },
];

function modes(memoryPolicy: unknown): readonly string[] {
  return (memoryPolicy as { readonly modes?: readonly string[] } | undefined)?.modes ?? [];
}
