// No privilege may be left over or gained by a form of input. Each case names the attack.

import {
  type RuntimeCase,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  withLinux,
  withProcess,
} from "../case.ts";

export const cases: readonly RuntimeCase[] = [
  {
    name: "exec --cap: no inheritable capabilities",
    cve: "CVE-2022-29162, 2022-27650",
    run: (bench) =>
      expectMatch(
        expectOk(
          bench.call(
            "exec",
            "--cap",
            "CAP_NET_RAW",
            bench.started(bench.script("sleep 30")),
            "/bin/grep",
            "CapInh",
            "/proc/self/status",
          ),
        ).out,
        /CapInh:\s+0000000000000000/,
      ),
  },
  ...["abc", "1x", "0x1", "4294967295", "-1"].map((user): RuntimeCase => ({
    name: `exec --user ${user}: refused`,
    cve: "CVE-2016-3697, 2026-30892",
    run: (bench) => {
      const outcome = bench.call("exec", "--user", user, bench.started(bench.script("sleep 30")), "/bin/id", "-u");
      if (outcome.code === 0) throw new Error(`ran as uid ${outcome.out}`);
    },
  })),
  {
    name: "exec --user 1: runs as uid 1",
    cve: "CVE-2026-30892",
    run: (bench) =>
      expectEqual(
        expectOk(bench.call("exec", "--user", "1", bench.started(bench.script("sleep 30")), "/bin/id", "-u")).out,
        "1",
      ),
  },
  {
    name: "user: uid 4294967295 in config.json is refused",
    cve: "CVE-2026-30892",
    run: (bench) =>
      void expectFailure(
        bench.run(bench.script("id -u", (spec) => withProcess(spec, { user: { uid: 4_294_967_295, gid: 0 } }))),
      ),
  },
  ...[false, true].map((cgroup): RuntimeCase => ({
    name: `cgroup file system: read-only ${cgroup ? "with" : "without"} a cgroup namespace`,
    cve: "CVE-2023-25809",
    run: (bench) => {
      const { out } = expectOk(
        bench.run(
          bench.script("grep -E ' cgroup2? ' /proc/self/mounts", (spec) =>
            cgroup ? withLinux(spec, { namespaces: [...(spec.linux?.namespaces ?? []), { type: "cgroup" }] }) : spec,
          ),
        ),
      );
      for (const line of out.split("\n")) expectMatch(line, /\sro[,\s]/);
    },
  })),
  {
    name: "seccomp: a forbidden call fails with the given errno, others work",
    run: (bench) => {
      const seccomp = {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 99 }],
      } as const;
      const outcome = bench.run(
        bench.script("mkdir /tmp/x; echo after", (spec) =>
          withLinux({ ...spec, root: { path: "rootfs" } }, { seccomp }),
        ),
      );
      expectMatch(outcome.err, /Cannot assign requested address|Address not available/);
      expectEqual(outcome.out, "after");
    },
  },
  ...[true, false].map((noNewPrivileges): RuntimeCase => ({
    name: `seccomp: filter is on ${noNewPrivileges ? "with" : "without"} no_new_privs, for exec too`,
    run: (bench) => {
      const seccomp = {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["swapon"], action: "SCMP_ACT_ERRNO" }],
      } as const;
      const bundle = bench.script("grep ^Seccomp: /proc/self/status; sleep 30", (spec) =>
        withLinux(withProcess(spec, { noNewPrivileges }), { seccomp }),
      );
      const id = bench.started(bundle);
      expectMatch(expectOk(bench.call("exec", id, "/bin/grep", "^Seccomp:", "/proc/self/status")).out, /Seccomp:\s+2/);
      expectMatch(expectOk(bench.call("exec", id, "/bin/grep", "^Seccomp:", "/proc/1/status")).out, /Seccomp:\s+2/);
    },
  })),
];
