// What the program is: user, groups, environment, directory, limits, capabilities, terminal (runtime-spec, "Process").

import { openSync } from "node:fs";
import { type RuntimeCase, expectEqual, expectFailure, expectMatch, expectOk, withProcess } from "../case.ts";

export const cases: readonly RuntimeCase[] = [
  {
    name: "user: uid, gid and additional groups",
    run: (bench) => {
      const { out } = expectOk(
        bench.run(
          bench.script("grep -E '^(Uid|Gid|Groups)' /proc/self/status", (spec) =>
            withProcess(spec, { user: { uid: 1000, gid: 1001, additionalGids: [5, 6] } }),
          ),
        ),
      );
      expectMatch(out, /Uid:\s+1000\s+1000\s+1000\s+1000/);
      expectMatch(out, /Gid:\s+1001\s+1001\s+1001\s+1001/);
      expectMatch(out, /Groups:\s+5 6/);
    },
  },
  {
    name: "user: one that is not root opens its standard streams again, with run and with exec",
    run: (bench) => {
      const again = "echo out >/dev/stdout && echo err >/dev/stderr";
      const script = bench.script(again, (spec) => withProcess(spec, { user: { uid: 1000, gid: 1000 } }));
      const { out, err } = expectOk(bench.run(script));
      expectEqual([out, err], ["out", "err"]);
      const id = bench.started(bench.script("sleep 30"));
      expectEqual(expectOk(bench.call("exec", "--user", "1000", id, "/bin/sh", "-c", again)).out, "out");
    },
  },
  {
    name: "user: umask",
    run: (bench) =>
      expectEqual(
        expectOk(
          bench.run(bench.script("umask", (spec) => withProcess(spec, { user: { uid: 0, gid: 0, umask: 0o27 } }))),
        ).out,
        "0027",
      ),
  },
  {
    name: "env: as given, in order, and HOME is added",
    run: (bench) => {
      const { out } = expectOk(
        bench.run(
          bench.script("tr '\\0' '\\n' </proc/1/environ || cat /proc/1/environ", (spec) =>
            withProcess(spec, { env: ["B=2", "PATH=/bin", "A=1"] }),
          ),
        ),
      );
      expectMatch(out.replaceAll("\0", "\n"), /B=2\nPATH=\/bin\nA=1\nHOME=\//);
    },
  },
  {
    name: "signals: none is ignored, whatever the runtime was started with",
    run: (bench) => {
      const through = ["env", "--ignore-signal=HUP,INT,QUIT,USR1,PIPE,TSTP"];
      const bundle = bench.bundle((spec) => withProcess(spec, { args: ["/bin/grep", "SigIgn", "/proc/self/status"] }));
      const { out } = expectOk(bench.callWith({ through }, "run", "--bundle", bundle.path, bench.id()));
      expectMatch(out, /SigIgn:\s+0+$/);
    },
  },
  {
    // crun 1.8.1 waits for ever.
    name: "signals: the end is seen though the runtime was started with SIGCHLD ignored",
    run: (bench) => {
      const through = ["timeout", "--signal=KILL", "10", "env", "--ignore-signal=CHLD"];
      const bundle = bench.script("exit 7");
      expectEqual(bench.callWith({ through }, "run", "--bundle", bundle.path, bench.id()).code, 7);
    },
  },
  {
    name: "cwd: entered, and made when missing",
    run: (bench) =>
      expectEqual(
        expectOk(
          bench.run(bench.script("pwd", (spec) => withProcess({ ...spec, root: { path: "rootfs" } }, { cwd: "/a/b" }))),
        ).out,
        "/a/b",
      ),
  },
  {
    name: "rlimits: set",
    run: (bench) =>
      expectMatch(
        expectOk(
          bench.run(
            bench.script("grep 'Max open files' /proc/self/limits", (spec) =>
              withProcess(spec, { rlimits: [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }] }),
            ),
          ),
        ).out,
        /100\s+200/,
      ),
  },
  {
    name: "rlimits: error for an unknown name",
    run: (bench) =>
      void expectFailure(
        bench.run(
          bench.script("true", (spec) => withProcess(spec, { rlimits: [{ type: "RLIMIT_NONE", soft: 1, hard: 1 }] })),
        ),
      ),
  },
  {
    name: "capabilities: exactly the sets given",
    run: (bench) => {
      const { out } = expectOk(bench.run(bench.script("grep ^Cap /proc/self/status")));
      expectMatch(out, /CapPrm:\s+0000000020000420/);
      expectMatch(out, /CapEff:\s+0000000020000420/);
      expectMatch(out, /CapBnd:\s+0000000020000420/);
      expectMatch(out, /CapInh:\s+0000000000000000/);
    },
  },
  {
    name: "capabilities: error for an unknown name",
    run: (bench) =>
      void expectFailure(
        bench.run(bench.script("true", (spec) => withProcess(spec, { capabilities: { bounding: ["CAP_NONE"] } }))),
      ),
  },
  {
    name: "noNewPrivileges: set",
    run: (bench) =>
      expectMatch(expectOk(bench.run(bench.script("grep NoNewPrivs /proc/self/status"))).out, /NoNewPrivs:\s+1/),
  },
  {
    name: "args: error before start when there is no such program",
    run: (bench) => {
      const id = bench.id();
      const outcome = expectFailure(
        bench.call("create", "--bundle", bench.bundle((spec) => withProcess(spec, { args: ["nope"] })).path, id),
      );
      expectMatch(outcome.err, /executable file .?nope.? ?not found|executable file not found/);
      expectFailure(bench.call("state", id));
    },
  },
  {
    name: "exec: exit status, environment and user",
    run: (bench) => {
      const id = bench.started(bench.script("sleep 30"));
      expectEqual(bench.call("exec", id, "/bin/sh", "-c", "exit 5").code, 5);
      expectEqual(
        expectOk(
          bench.call(
            "exec",
            "--env",
            "X=y z",
            "--user",
            "7:8",
            "--cwd",
            "/tmp",
            id,
            "/bin/sh",
            "-c",
            'echo "$X $(id -u) $(id -g) $PWD"',
          ),
        ).out,
        "y z 7 8 /tmp",
      );
    },
  },
  {
    name: "preserve-fds: passed, and no more than asked for",
    run: (bench) => {
      const bundle = bench.script("ls /proc/self/fd | wc -l; cat <&3");
      const fd = openSync("/proc/sys/kernel/ostype", "r");
      const { out } = expectOk(
        bench.callWith({ fds: [fd, fd] }, "run", "--preserve-fds", "1", "--bundle", bundle.path, bench.id()),
      );
      // 0, 1, 2, 3 and the directory that ls reads.
      expectEqual(out.split("\n"), ["5", "Linux"]);
    },
  },
  {
    name: "LISTEN_FDS: passed with LISTEN_PID=1",
    run: (bench) => {
      const bundle = bench.script('echo "$LISTEN_FDS $LISTEN_PID"; cat <&3');
      const fd = openSync("/proc/sys/kernel/ostype", "r");
      const { out } = expectOk(
        bench.callWith({ fds: [fd], env: { LISTEN_FDS: "1" } }, "run", "--bundle", bundle.path, bench.id()),
      );
      expectEqual(out.split("\n"), ["1 1", "Linux"]);
    },
  },
];
