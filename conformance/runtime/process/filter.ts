// process: system call filters, which are in force already while the runtime does its last steps (runtime-spec, "Seccomp").

import { type RuntimeCase, expectEqual, expectOk, withLinux } from "../case.ts";

/** What profiles written before these calls existed answer with EPERM. */
const NEWER_CALLS = ["statx", "faccessat2", "openat2", "close_range", "execveat", "clone3", "pidfd_open"];

export const cases: readonly RuntimeCase[] = [
  {
    name: "seccomp: a program starts under a profile that is older than the runtime",
    run: (bench) => {
      const bundle = bench.script("echo started", (spec) =>
        withLinux(
          // New privileges allowed: the filter is loaded before capabilities are dropped, and all that follows is under it.
          { ...spec, process: { ...spec.process, cwd: "/", noNewPrivileges: false } },
          {
            seccomp: {
              defaultAction: "SCMP_ACT_ALLOW",
              syscalls: [{ names: NEWER_CALLS, action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
            },
          },
        ),
      );
      expectEqual(expectOk(bench.run(bundle)).out, "started");
    },
  },
];
