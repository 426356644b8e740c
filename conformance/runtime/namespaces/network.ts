// Network devices of the host that become the container's (runtime-spec, "Network devices"). The "host" is a network namespace made here.

import { spawn, spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import {
  type Bench,
  type Outcome,
  type RuntimeCase,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  needs,
  withLinux,
} from "../case.ts";

interface Host {
  run(...command: string[]): Outcome;
  /** The runtime, called from there. */
  call(...args: string[]): Outcome;
}

/** A network namespace with a veth pair: "moved" with addresses, and "stays". */
function host(bench: Bench): Host {
  needs(
    bench,
    "netDevices",
    ({ linux }) => (linux?.["netDevices"] as { enabled?: boolean } | undefined)?.enabled === true,
  );
  const holder = spawn("unshare", ["--net", "sleep", "60"], { stdio: "ignore" });
  bench.defer(() => void holder.kill("SIGKILL"));
  const path = `/proc/${holder.pid}/ns/net`;
  bench.until("namespace is there", () => readlinkSync(path) !== readlinkSync("/proc/self/ns/net"));
  const run = (...command: string[]): Outcome => {
    const done = spawnSync("nsenter", [`--net=${path}`, ...command], { encoding: "utf8" });
    return { code: done.status ?? -1, out: done.stdout.trim(), err: done.stderr.trim() };
  };
  for (const words of [
    "link add moved type veth peer name stays",
    "address add 10.99.0.2/24 dev moved",
    "address add fd00:99::2/64 dev moved nodad",
    "link set moved mtu 1400",
    "link set moved up",
  ])
    expectOk(run("ip", ...words.split(" ")));
  return { run, call: (...args) => run(bench.runtime, "--root", `${bench.directory}/root`, ...args) };
}

export const cases: readonly RuntimeCase[] = [
  {
    name: "netDevices: moved under a new name with its addresses and MTU, and up",
    run: (bench) => {
      const { call, run } = host(bench);
      const bundle = bench.script("ip address show eth7", (spec) =>
        withLinux({ ...spec, ociVersion: "1.3.0" }, { netDevices: { moved: { name: "eth7" } } }),
      );
      const { out } = expectOk(call("run", "--bundle", bundle.path, bench.id()));
      for (const pattern of [
        /eth7@.*[<,]UP[,>]/,
        /mtu 1400/,
        /inet 10\.99\.0\.2\/24 scope global/,
        /inet6 fd00:99::2\/64 scope global/,
      ])
        expectMatch(out, pattern);
      expectFailure(run("ip", "link", "show", "moved"));
    },
  },
  {
    name: "netDevices: keeps its name, in a user namespace too",
    run: (bench) => {
      const { call } = host(bench);
      const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      const bundle = bench.script("ip address show moved", (spec) =>
        withLinux(
          { ...spec, ociVersion: "1.3.0", root: { path: "rootfs" } },
          {
            netDevices: { moved: {} },
            namespaces: [...(spec.linux?.namespaces ?? []), { type: "user" }],
            uidMappings: map,
            gidMappings: map,
          },
        ),
      );
      spawnSync("chmod", ["a+rx", bench.directory]);
      spawnSync("chown", ["-R", "100000:100000", bundle.rootfs]);
      expectMatch(expectOk(call("run", "--bundle", bundle.path, bench.id())).out, /inet 10\.99\.0\.2\/24/);
    },
  },
  {
    name: "netDevices: given back when the container cannot be made",
    run: (bench) => {
      const { call, run } = host(bench);
      const bundle = bench.bundle((spec) =>
        withLinux(
          { ...spec, ociVersion: "1.3.0", process: { cwd: "/", args: ["/nope"] } },
          { netDevices: { moved: { name: "eth7" } } },
        ),
      );
      expectFailure(call("run", "--bundle", bundle.path, bench.id()));
      expectMatch(expectOk(run("ip", "address", "show", "moved")).out, /inet 10\.99\.0\.2\/24/);
    },
  },
  {
    name: "netDevices: error when there is no such device",
    run: (bench) => {
      const { call } = host(bench);
      const bundle = bench.script("true", (spec) =>
        withLinux({ ...spec, ociVersion: "1.3.0" }, { netDevices: { absent: {} } }),
      );
      expectFailure(call("run", "--bundle", bundle.path, bench.id()));
    },
  },
  {
    name: "netDevices: error without a network namespace",
    run: (bench) => {
      const { call, run } = host(bench);
      const bundle = bench.script("true", (spec) =>
        withLinux(
          { ...spec, ociVersion: "1.3.0", mounts: (spec.mounts ?? []).filter(({ type }) => type !== "sysfs") },
          {
            netDevices: { moved: {} },
            namespaces: (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "network"),
          },
        ),
      );
      expectFailure(call("run", "--bundle", bundle.path, bench.id()));
      expectEqual(run("ip", "link", "show", "moved").code, 0);
    },
  },
];
