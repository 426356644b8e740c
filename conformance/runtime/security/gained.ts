// What root inside must not gain: disks, writable cgroups, inheritable capabilities, other users' ids, files of the host's /dev.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostFacts } from "@teu/engine/containers/spec/host-facts";
import { defaultFilter } from "@teu/engine/containers/spec/seccomp";
import type { Spec } from "@teu/specs/runtime";
import {
  type Bench,
  type RuntimeCase,
  Skip,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
  withProcess,
} from "../case.ts";
import { plant, withCapabilities, writable } from "./attack.ts";

const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
/** Docker's and containerd's default. */
const DEFAULT_CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

const addNamespace = (spec: Spec, type: "user" | "cgroup"): Spec =>
  withLinux(spec, {
    namespaces: [...(spec.linux?.namespaces ?? []), { type }],
    ...(type === "user" ? { uidMappings: MAPS, gidMappings: MAPS } : {}),
  });

function openUp(bench: Bench): void {
  spawnSync("chown", ["-R", "100000:100000", bench.directory]);
  spawnSync("chmod", ["-R", "a+rwX", bench.directory]);
}

/** A disk of this machine: "254:0". */
function hostDisk(): readonly [string, string] {
  const names = readdirSync("/sys/block");
  const name = names.find((one) => /^(sd|vd|nvme|xvd)/.test(one)) ?? names.find((one) => /^loop0$/.test(one));
  if (name === undefined) throw new Skip("this machine has no block device");
  const [major = "", minor = ""] = readFileSync(`/sys/block/${name}/dev`, "utf8").trim().split(":");
  return [major, minor];
}

/** --user, and the uid and gid that are right; null: must be refused. */
const USERS: readonly (readonly [string, string | null])[] = [
  ["0", "0 0"],
  ["1", "1 0"],
  ["1:1", "1 1"],
  ["007", "7 0"],
  ["4294967294:4294967294", "4294967294 4294967294"],
  ["1:", null],
  [":", null],
  [":1", null],
  ["1:2:3", null],
  ["1:-1", null],
  ["1:4294967295", null],
  ["1:root", null],
  ["root", null],
  [" 1", null],
  ["1 ", null],
  ["+1", null],
  ["1.0", null],
  ["1e3", null],
  ["0x1", null],
  ["\u0661", null],
  ["4294967296", null],
  ["4294967297", null],
  ["18446744073709551616", null],
];

export const cases: readonly RuntimeCase[] = [
  ...USERS.map(([user, want]): RuntimeCase => ({
    name: `exec --user ${JSON.stringify(user)}: ${want === null ? "refused" : `runs as ${want}`}`,
    cve: "CVE-2016-3697, 2026-30892",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30"));
      const { code, out } = bench.call("exec", "--user", user, id, "/bin/sh", "-c", "echo $(id -u) $(id -g)");
      if (want !== null) return expectEqual(`${code} ${out}`, `0 ${want}`);
      // "1:" may also mean uid 1 alone.
      if (code === 0 && !(user === "1:" && out === "1 0")) throw new Error(`ran as ${out}`);
    },
  })),
  {
    name: "exec: a user whose name is a number and whose uid is 0 is not taken for it",
    cve: "CVE-2016-3697",
    run: (bench) => {
      const bundle = bench.script("sleep 30");
      writeFileSync(join(bundle.rootfs, "etc/passwd"), "root:x:0:0::/:/bin/sh\n1000:x:0:0::/:/bin/sh\n");
      const { out } = expectOk(bench.call("exec", "--user", "1000", bench.started(bundle), "/bin/id", "-u"));
      expectEqual(out, "1000");
    },
  },
  ...["run", "exec", "exec --cap", "exec --process"].map((how): RuntimeCase => ({
    name: `capabilities: none is inheritable after ${how}`,
    cve: "CVE-2022-29162, 2022-27650",
    run: (bench) => {
      const args = ["/bin/grep", "CapInh", "/proc/self/status"];
      const change = (spec: Spec): Spec => withCapabilities(spec, DEFAULT_CAPABILITIES);
      const call = (): string => {
        if (how === "run") return expectOk(bench.run(bench.bundle((spec) => change(withProcess(spec, { args }))))).out;
        const id = bench.started(bench.script("sleep 30", change));
        const document = join(bench.directory, "process.json");
        writeFileSync(document, JSON.stringify({ cwd: "/", args, user: { uid: 0, gid: 0 } }));
        const flags =
          how === "exec"
            ? [id, ...args]
            : how === "exec --cap"
              ? ["--cap", "CAP_SYS_TIME", id, ...args]
              : ["--process", document, id];
        return expectOk(bench.call("exec", ...flags)).out;
      };
      expectMatch(call(), /^CapInh:\s+0{16}$/);
    },
  })),
  ...[false, true].flatMap((user) =>
    [false, true].map((cgroup): RuntimeCase => ({
      name: `cgroups: read-only inside ${user ? "with" : "without"} a user and ${cgroup ? "with" : "without"} a cgroup namespace`,
      cve: "CVE-2023-25809",
      run: (bench) => {
        const script = `
          grep -E ' cgroup2? ' /proc/self/mounts | grep -v -E ' ro[, ]'
          for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/made 2>/dev/null && echo made in $d; done
          for f in $(find /sys/fs/cgroup -name release_agent -o -name cgroup.procs -o -name notify_on_release); do
            (echo 0 >$f) 2>/dev/null && echo wrote $f
          done; true`;
        const bundle = bench.script(script, (spec) => {
          const base = withCapabilities(writable(spec), [...DEFAULT_CAPABILITIES, "CAP_SYS_ADMIN"]);
          const inUser = user ? addNamespace(base, "user") : base;
          return cgroup ? addNamespace(inUser, "cgroup") : inUser;
        });
        symlinkSync("busybox", join(bundle.rootfs, "bin/find"));
        if (user) openUp(bench);
        expectEqual(expectOk(bench.run(bundle)).out, "", "writable");
      },
    })),
  ),
  {
    name: "cgroups: none can be mounted under the default profile, not even in a new user namespace",
    cve: "CVE-2022-0492",
    run: (bench) => {
      const filter = defaultFilter(DEFAULT_CAPABILITIES, hostFacts());
      const script = `
        mkdir /tmp/c
        for fs in "cgroup -o rdma" "cgroup -o memory" "cgroup -o cpu" "cgroup2"; do
          unshare -UrmC sh -c "mount -t $fs cgroup /tmp/c" 2>/dev/null && echo "unshared: $fs"
          mount -t $fs cgroup /tmp/c 2>/dev/null && echo "mounted: $fs"
        done; true`;
      const bundle = bench.script(script, (spec) =>
        withLinux(withCapabilities(writable(spec), DEFAULT_CAPABILITIES), { seccomp: filter }),
      );
      symlinkSync("busybox", join(bundle.rootfs, "bin/unshare"));
      expectEqual(expectOk(bench.run(bundle)).out, "", "mounted");
    },
  },
  ...["b", "c"].map((type): RuntimeCase => ({
    name: `devices: ${type === "b" ? "a disk of the host" : "the host's memory and console"} can be named by mknod, but not opened`,
    run: (bench) => {
      const nodes =
        type === "b"
          ? [hostDisk()]
          : [
              ["1", "1"],
              ["4", "0"],
              ["1", "11"],
            ];
      const script = nodes
        .map(
          ([major, minor], index) =>
            `mknod /tmp/n${index} ${type} ${major} ${minor} || exit 9; (: </tmp/n${index}) 2>&1 && echo "opened ${major}:${minor}"; (: >>/tmp/n${index}) 2>&1 && echo "opened ${major}:${minor}"`,
        )
        .join("; ");
      const bundle = bench.script(`${script}; true`, (spec) => withCapabilities(writable(spec), DEFAULT_CAPABILITIES));
      const { out } = expectOk(bench.run(bundle));
      for (const line of out.split("\n")) expectMatch(line, /Operation not permitted/);
    },
  })),
  {
    name: "sysctl: refused when its namespace is joined and the host's own",
    run: (bench) => {
      const value = readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim();
      const bundle = bench.script("true", (spec) =>
        withLinux(spec, {
          // What is so already: where it is not refused, nothing changes.
          sysctl: { "net.ipv4.ip_forward": value },
          namespaces: (spec.linux?.namespaces ?? []).map((one) =>
            one.type === "network" ? { ...one, path: `/proc/${process.pid}/ns/net` } : one,
          ),
        }),
      );
      expectFailure(bench.run(bundle));
    },
  },
  {
    name: "files: nothing below /dev of the image is written through, changed or replaced on the host",
    cve: "CVE-2025-24965, 2026-41579, 2026-47766",
    run: (bench) => {
      const victims = join(bench.directory, "victims");
      mkdirSync(victims);
      const bundle = bench.script("true", (spec) => ({
        ...writable(spec),
        mounts: (spec.mounts ?? []).filter(({ destination }) => !destination.startsWith("/dev")),
      }));
      const names = [
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "console",
        "ptmx",
        "fd",
        "stdin",
        "stdout",
        "core",
      ];
      for (const name of names) {
        writeFileSync(join(victims, name), "mine", { mode: 0o640 });
        symlinkSync(join(victims, name), join(bundle.rootfs, "dev", name));
      }
      spawnSync("chown", ["-R", "1234:1234", victims]);
      bench.run(bundle);
      const found = names.map((name) => {
        const { mode, uid } = statSync(join(victims, name));
        return `${name} ${readFileSync(join(victims, name), "utf8")} ${uid} ${(mode & 0o777).toString(8)}`;
      });
      expectEqual(
        found,
        names.map((name) => `${name} mine 1234 640`),
      );
      expectEqual(readdirSync(victims).length, names.length);
    },
  },
  {
    name: "files: what the runtime mounts and makes under planted links stays in the root",
    cve: "CVE-2025-24965",
    run: (bench) => {
      const outside = join(bench.directory, "outside");
      mkdirSync(outside);
      const bundle = bench.script("true", (spec) => ({
        ...withProcess(writable(spec), { cwd: "/work/deep" }),
        mounts: [
          ...(spec.mounts ?? []),
          { destination: "/work/mnt", type: "tmpfs", source: "tmpfs" },
          { destination: "/run/secrets/x", type: "bind", source: "/dev/null", options: ["bind"] },
        ],
      }));
      for (const name of ["work", "run"]) symlinkSync(outside, join(bundle.rootfs, name));
      plant(bundle, "tmp", outside);
      bench.run(bundle);
      expectEqual(readdirSync(outside), []);
    },
  },
];
