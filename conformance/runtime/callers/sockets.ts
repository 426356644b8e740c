// What callers pass by sockets and descriptors: systemd's NOTIFY_SOCKET, a pidfd for whoever asks; --no-pivot, exec --cgroup.
// crun 1.8.1 tells the host nothing of a container that is not in the foreground of systemd, and takes --cgroup for cgroup v2 only.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import {
  type Bench,
  type Bundle,
  type RuntimeCase,
  Skip,
  expectEqual,
  expectMatch,
  expectOk,
  withLinux,
} from "../case.ts";

/** Takes messages at a unix socket and appends each to a file, with a line for its end. Perl is in every Debian. */
const LISTENER = `
use Socket; my ($kind, $path, $out) = @ARGV; umask 0;
socket(S, PF_UNIX, $kind eq "dgram" ? SOCK_DGRAM : SOCK_STREAM, 0) or die; bind(S, sockaddr_un($path)) or die;
open(O, ">>", $out) or die; O->autoflush(1);
if ($kind eq "dgram") { while (defined recv(S, my $m, 4096, 0)) { print O "$m\\n--\\n"; } }
listen(S, 5); while (accept(my $c, S)) { sysread($c, my $m, 4096); print O "$m\\n--\\n"; }
`;

/** Starts the listener; returns a function that reads what came so far. */
function listen(bench: Bench, kind: "dgram" | "stream", path: string): () => string {
  const out = join(bench.directory, `${basename(path)}.log`);
  const child = spawn("perl", ["-MIO::Handle", "-e", LISTENER, kind, path, out], { stdio: "ignore" });
  bench.defer(() => void child.kill("SIGKILL"));
  bench.until("listener", () => existsSync(path));
  return () => (existsSync(out) ? readFileSync(out, "utf8") : "");
}

/** busybox has no sd_notify: perl of the host sends the words, one message each. */
const TELL = `/usr/bin/perl -e 'use Socket; socket(S, PF_UNIX, SOCK_DGRAM, 0); send(S, $_, 0, sockaddr_un($ENV{NOTIFY_SOCKET})) for @ARGV'`;

/** A bundle that runs `text` with the host's programs below /usr. */
function scriptWithPerl(bench: Bench, text: string): Bundle {
  const bundle = bench.script(text, (spec) => ({
    ...spec,
    mounts: [...(spec.mounts ?? []), { destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"] }],
  }));
  for (const name of ["lib", "lib64"]) symlinkSync(`usr/${name}`, join(bundle.rootfs, name));
  for (const name of ["usr", "run/notify"]) mkdirSync(join(bundle.rootfs, name), { recursive: true });
  return bundle;
}

export const cases: readonly RuntimeCase[] = [
  {
    name: "NOTIFY_SOCKET: READY of the container is told with MAINPID by start, other words are not",
    run: (bench) => {
      const host = join(bench.directory, "host.sock");
      const heard = listen(bench, "dgram", host);
      const env = { NOTIFY_SOCKET: host };
      const id = bench.id();
      const bundle = scriptWithPerl(bench, `${TELL} STATUS=warm READY=1; sleep 30`);
      expectOk(bench.callWith({ env }, "create", "--bundle", bundle.path, id));
      expectOk(bench.callWith({ env }, "start", id));
      const { pid } = JSON.parse(expectOk(bench.call("state", id)).out) as { pid: number };
      bench.until("READY and MAINPID", () => /READY=1[\s-]+MAINPID=\d+/.test(heard()));
      expectMatch(heard(), new RegExp(`MAINPID=${pid}\\b`));
      if (heard().includes("STATUS")) throw new Error(`more was told: ${heard()}`);
    },
  },
  {
    name: "NOTIFY_SOCKET: READY is told by a run in the foreground",
    run: (bench) => {
      const host = join(bench.directory, "host.sock");
      const heard = listen(bench, "dgram", host);
      const bundle = scriptWithPerl(bench, `${TELL} READY=1; sleep 0.5`);
      expectOk(bench.callWith({ env: { NOTIFY_SOCKET: host } }, "run", "--bundle", bundle.path, bench.id()));
      bench.until("READY and MAINPID", () => /READY=1[\s-]+MAINPID=\d+/.test(heard()));
    },
  },
  {
    name: "pidfd-socket: one message for create and one for exec",
    run: (bench) => {
      if (!bench.call("create", "--help").out.includes("pidfd-socket")) throw new Skip("no --pidfd-socket");
      const path = join(bench.directory, "pidfd.sock");
      const heard = listen(bench, "stream", path);
      const id = bench.id();
      expectOk(bench.call("create", "--pidfd-socket", path, "--bundle", bench.script("sleep 30").path, id));
      expectOk(bench.call("start", id));
      expectOk(bench.call("exec", "--pidfd-socket", path, id, "/bin/true"));
      bench.until("both", () => heard() === "standard\n--\nsetns\n--\n");
    },
  },
  {
    name: "no-pivot: the container sees its own root only",
    run: (bench) => {
      const { out } = expectOk(bench.run(bench.script("ls /; echo; ls /.."), "--no-pivot"));
      const [own, above] = out.split("\n\n");
      expectEqual(above, own);
      if (out.includes("usr") || out.includes("boot")) throw new Error(`the host's root is there: ${out}`);
    },
  },
  {
    name: "exec --cgroup: the process is in the child cgroup, and nothing leads above it",
    run: (bench) => {
      if (!bench.call("exec", "--help").out.includes("--cgroup")) throw new Skip("no exec --cgroup");
      if (!existsSync("/sys/fs/cgroup/pids")) throw new Skip("no pids hierarchy of cgroup v1");
      const path = `teu-conf-${process.pid}-sub`;
      const id = bench.started(bench.script("sleep 30", (spec) => withLinux(spec, { cgroupsPath: `/${path}` })));
      mkdirSync(`/sys/fs/cgroup/pids/${path}/child`);
      const { out } = expectOk(bench.call("exec", "--cgroup", "pids:child", id, "/bin/cat", "/proc/self/cgroup"));
      expectMatch(out, /:pids:.*\/child$/m);
      if (bench.call("exec", "--cgroup", "../x", id, "/bin/true").code === 0) throw new Error("a way up was taken");
    },
  },
];
