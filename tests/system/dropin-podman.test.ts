// The runtime under podman and conmon, as root. Needs root.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { obstacle, RUNTIME, RUNTIME_NAME, until } from "./dropin-harness.ts";
import { IMAGE, PODMAN, Podman, expect } from "./dropin-podman.ts";
import { workingCriu } from "./newer-criu.ts";

const criu = process.getuid?.() === 0 ? workingCriu() : { reason: "needs root" };
const noCriu = "reason" in criu ? criu.reason : false;
// For podman, which looks at its version, and for the runtime.
if ("path" in criu) process.env["PATH"] = [...criu.path, process.env["PATH"] ?? ""].join(":");

describe("podman", { skip: obstacle(PODMAN, "/usr/bin/conmon") }, () => {
  let podman: Podman;
  before(() => void (podman = new Podman(false)));
  after(() => podman[Symbol.dispose]());

  const cgroupFile = (name: string, controller: string, file: string): string =>
    readFileSync(
      join("/sys/fs/cgroup", controller, podman.sandbox.cgroup, `libpod-${podman.inspect(name, "{{.Id}}")}`, file),
      "utf8",
    ).trim();

  test("podman: info names the runtime", () => {
    const { path, version } = JSON.parse(podman.ok("info", "--format", "{{json .Host.OCIRuntime}}")) as {
      path: string;
      version: string;
    };
    assert.equal(path, RUNTIME);
    assert.match(version, RUNTIME_NAME === "crun" ? /crun version/ : /^runc version/);
  });

  test("podman: run gives output, input and exit codes through", () => {
    assert.equal(podman.shell([], "echo hello"), "hello");
    expect(podman.box([], "sh", "-c", "exit 7"), 7);
    const command = ["run", "--rm", "--interactive", ...podman.flags, IMAGE, "sh", "-c", "cat; echo e >&2"];
    const streams = podman.runWith({ input: "typed\n" }, ...command);
    assert.deepEqual([streams.code, streams.out, streams.err], [0, "typed", "e"]);
  });

  test("podman: checkpoint and restore", { skip: noCriu }, () => {
    const name = podman.detached(
      [],
      "sh",
      "-c",
      "i=0; while :; do i=$((i+1)); echo $i > /n; mv /n /count; sleep 0.1; done",
    );
    const counted = (): number => Number(podman.ok("exec", name, "cat", "/count"));
    until("it has counted", () => counted() > 3);
    podman.ok("container", "checkpoint", name);
    assert.equal(podman.inspect(name, "{{.State.Status}}"), "exited");
    podman.ok("container", "restore", name);
    const then = counted();
    assert.ok(then > 3, `it began anew: ${then}`);
    until("it goes on", () => counted() > then);
    podman.ok("rm", "--force", "--time", "0", name);
  });

  test("podman: run exits with 126 and 127, and passes the runtime's words on", () => {
    const told = RUNTIME_NAME === "crun" ? /not found/ : /"nothing": executable file not found in \$PATH/;
    assert.match(expect(podman.box([], "nothing"), 127).all, told);
    expect(podman.box([], "/etc"), 126);
    const denied = expect(podman.box([], "/etc/passwd"), 126).all;
    assert.match(denied, /permission denied/i);
    // The JSON log was understood: its msg alone is shown.
    assert.doesNotMatch(denied, /level=error msg=|"level"/);
    assert.equal(podman.ok("ps", "--all", "--quiet"), "");
  });

  test("podman: run and exec with a terminal", () => {
    const script = "tty; read a; echo got:$a; exit 5";
    const [command = "", ...args] = podman.command([
      ...["run", "--rm", "--interactive", "--tty", ...podman.flags, IMAGE, "sh", "-c", script],
    ]);
    const typed = podman.sandbox.typed(command, args, "word\n");
    assert.match(typed.out, /\/dev\/(pts\/0|console)[\s\S]*got:word/);
    assert.equal(typed.code, 5);
    const name = podman.detached([], "sleep", "1000");
    const [first = "", ...rest] = podman.command(["exec", "--interactive", "--tty", name, "sh", "-c", script]);
    const inside = podman.sandbox.typed(first, rest, "word\n");
    assert.match(inside.out, /\/dev\/pts\/0[\s\S]*got:word/);
    assert.equal(inside.code, 5);
    podman.ok("rm", "--force", "--time", "0", name);
  });

  test("podman: exec with user, directory, environment, and its exit codes", () => {
    const name = podman.detached([], "sleep", "1000");
    expect(podman.run("exec", name, "sh", "-c", "exit 4"), 4);
    const flags = ["--user", "nobody", "--workdir", "/tmp", "--env", "WORD=x y"];
    assert.equal(podman.ok("exec", ...flags, name, "sh", "-c", 'id -u; pwd; echo "$WORD"'), "65534\n/tmp\nx y");
    expect(podman.run("exec", name, "nothing"), 127);
    expect(podman.run("exec", name, "/etc"), 126);
    expect(podman.run("exec", name, "/etc/passwd"), 126);
    assert.equal(podman.runWith({ input: "in" }, "exec", "--interactive", name, "cat").out, "in");
    podman.ok("exec", "--detach", name, "sleep", "2000");
    until("the detached exec runs", () => podman.ok("top", name, "args").includes("sleep 2000"));
    podman.ok("rm", "--force", "--time", "0", name);
  });

  test("podman: limits are in the container's cgroup, and update changes them", () => {
    const flags = ["--memory", "64m", "--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "50"];
    const name = podman.detached([...flags, "--cpuset-cpus", "0"], "sleep", "1000");
    const limits = (): string[] => [
      cgroupFile(name, "memory", "memory.limit_in_bytes"),
      cgroupFile(name, "cpu", "cpu.cfs_quota_us"),
      cgroupFile(name, "cpu", "cpu.shares"),
      cgroupFile(name, "pids", "pids.max"),
      cgroupFile(name, "cpuset", "cpuset.cpus"),
    ];
    assert.deepEqual(limits(), [String(64 << 20), "50000", "512", "50", "0"]);
    podman.ok("update", "--memory", "80m", "--cpus", "0.7", "--cpu-shares", "300", "--cpuset-cpus", "0-1", name);
    assert.deepEqual(limits(), [String(80 << 20), "70000", "300", "50", "0-1"]);
    assert.match(
      podman.ok("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDS}}", name),
      /\/ (67.11|83.89)MB 1/,
    );
    podman.ok("rm", "--force", "--time", "0", name);
    // Podman's smallest: a runtime that needs more than this for itself cannot start it.
    if (RUNTIME_NAME !== "runc") assert.equal(podman.shell(["--memory", "1m"], "echo fits"), "fits");
  });

  test("podman: pause, unpause, stop, kill, restart, wait", () => {
    const script = 'trap "echo asked; exit 3" TERM; echo ready; while :; do sleep 0.05; done';
    const name = podman.detached([], "sh", "-c", script);
    const ready = (times: number): void =>
      until("the trap is set", () => podman.ok("logs", name).split("ready").length > times);
    ready(1);
    podman.ok("pause", name);
    assert.equal(podman.inspect(name, "{{.State.Status}}"), "paused");
    assert.notEqual(podman.run("exec", name, "true").code, 0);
    podman.ok("unpause", name);
    podman.ok("stop", "--time", "20", name);
    assert.equal(podman.inspect(name, "{{.State.ExitCode}}"), "3");
    podman.ok("restart", "--time", "20", name);
    ready(2);
    podman.ok("kill", name);
    assert.equal(podman.ok("wait", name), "137");
    podman.ok("rm", name);
  });

  test("podman: --init, privileges, mounts, namespaces", () => {
    const init = ["--init", "--init-path", "/usr/bin/tini-static"];
    assert.match(podman.shell(init, "cat /proc/1/cmdline"), /podman-init/);
    assert.match(podman.shell(["--privileged"], "mkdir /m && mount -t tmpfs t /m && echo mounted"), /mounted/);
    assert.match(podman.shell(["--cap-drop", "ALL"], "cat /proc/self/status"), /CapEff:\s+0{16}[\s\S]*Seccomp:\s+2/);
    const mounts = ["--read-only", "--volume", `${podman.sandbox.path("volume")}:/v:ro`];
    const written = podman.shell(mounts, "touch /x 2>&1; touch /v/x 2>&1; touch /tmp/x && echo made");
    assert.match(written, /x: Read-only[\s\S]*v\/x: Read-only[\s\S]*made/);
    const own = (type: string, ...flags: string[]): string => podman.shell(flags, `readlink /proc/self/ns/${type}`);
    const here = (type: string): string => podman.sandbox.run("readlink", [`/proc/self/ns/${type}`]).out;
    assert.equal(own("pid", "--pid", "host", "--ipc", "host"), here("pid"));
    assert.match(podman.shell(["--uidmap", "0:100000:5000"], "cat /proc/self/uid_map"), /0\s+100000\s+5000/);
  });

  test("podman: a pod shares network and process names, and ends as one", () => {
    const flags = ["--infra-image", IMAGE, "--infra-command", "sleep 1000", "--share", "net,ipc,uts,pid"];
    podman.ok("pod", "create", "--name", "pod", ...podman.flags, ...flags);
    const add = (...command: string[]): string =>
      podman.ok("run", "--detach", "--pod", "pod", ...podman.flags.slice(2), IMAGE, ...command);
    const [one, two] = [add("sleep", "2000"), add("sleep", "3000")];
    const script = "for type in net ipc uts pid; do readlink /proc/self/ns/$type; done";
    const namespaces = (id: string): string => podman.ok("exec", id, "sh", "-c", script);
    assert.equal(namespaces(one), namespaces(two));
    assert.match(podman.ok("exec", one, "ps"), /sleep 1000[\s\S]*sleep 2000[\s\S]*sleep 3000/);
    podman.ok("pod", "pause", "pod");
    podman.ok("pod", "unpause", "pod");
    podman.ok("pod", "stop", "--time", "0", "pod");
    podman.ok("pod", "rm", "pod");
    assert.equal(podman.ok("ps", "--all", "--quiet"), "");
  });

  test("podman: a health check runs by exec", () => {
    const name = podman.detached(
      ["--health-cmd", "test -e /tmp/well", "--health-interval", "disable"],
      "sleep",
      "1000",
    );
    assert.notEqual(podman.run("healthcheck", "run", name).code, 0);
    podman.ok("exec", name, "touch", "/tmp/well");
    podman.ok("healthcheck", "run", name);
    podman.ok("rm", "--force", "--time", "0", name);
  });

  test("podman: nothing is left", () => {
    assert.equal(podman.ok("ps", "--all", "--quiet"), "");
    const left = `ls -d /sys/fs/cgroup/*/${podman.sandbox.cgroup}/libpod-[0-9a-f]*/ 2>/dev/null`;
    assert.equal(podman.sandbox.run("sh", ["-c", left]).out, "");
    until("conmon has gone", () => !podman.sandbox.run("sh", ["-c", "cat /proc/[0-9]*/comm"]).out.includes("conmon"));
    assert.doesNotMatch(podman.sandbox.run("cat", ["/proc/mounts"]).out, /overlay\/.*\/merged/);
  });
});
