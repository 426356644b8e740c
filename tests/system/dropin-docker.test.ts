// The runtime under dockerd: a dockerd and a containerd of their own, driven by the docker client. Needs root.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DOCKER, DOCKER_PROGRAMS, callDocker, dockerAddress, startDocker } from "./dropin-docker.ts";
import {
  hasCapability,
  obstacle,
  type Outcome,
  RUNTIME,
  RUNTIME_NAME,
  type RunOptions,
  Sandbox,
  strangeControllers,
  until,
} from "./dropin-harness.ts";

const IMAGE = "example.org/busybox:1";
const CAP_SYS_RESOURCE = 24;

let sandbox: Sandbox;
let count = 0;

function docker(...args: readonly string[]): Outcome {
  return callDocker(sandbox, args);
}

function dockerWith(options: RunOptions, ...args: readonly string[]): Outcome {
  return callDocker(sandbox, args, options);
}

/** What it prints; it must work. */
function ok(...args: readonly string[]): string {
  return expect(docker(...args)).out;
}

/** `docker run --rm`. */
function run(flags: readonly string[], ...command: readonly string[]): Outcome {
  return docker("run", "--rm", ...flags, IMAGE, ...command);
}

function shell(flags: readonly string[], script: string): string {
  return expect(run(flags, "sh", "-c", script)).out;
}

/** `docker run --detach`; its name. */
function detached(flags: readonly string[], ...command: readonly string[]): string {
  const name = `box${count++}`;
  ok("run", "--detach", "--name", name, ...flags, IMAGE, ...command);
  return name;
}

function inspect(name: string, format: string): string {
  return ok("inspect", "--format", format, name);
}

/** A file of the container's own cgroup. */
function cgroupFile(name: string, controller: string, file: string): string {
  return readFileSync(
    join("/sys/fs/cgroup", controller, sandbox.cgroup, inspect(name, "{{.Id}}"), file),
    "utf8",
  ).trim();
}

function expect(outcome: Outcome, code = 0): Outcome {
  assert.equal(outcome.code, code, outcome.all);
  return outcome;
}

describe("docker", { skip: obstacle(...DOCKER_PROGRAMS) }, () => {
  before(() => {
    sandbox = new Sandbox();
    startDocker(sandbox, IMAGE);
  });
  after(() => sandbox[Symbol.dispose]());

  test("docker: info shows the runtime and its version", () => {
    const info = JSON.parse(ok("info", "--format", "{{json .}}")) as {
      Runtimes: Record<string, { path: string }>;
      DefaultRuntime: string;
      RuncCommit: { ID: string };
    };
    assert.equal(info.Runtimes["teu"]?.path, RUNTIME);
    assert.equal(info.DefaultRuntime, "teu");
    assert.doesNotMatch(info.RuncCommit.ID, /^(N\/A)?$/);
    if (RUNTIME_NAME === "teu-runtime") assert.match(info.RuncCommit.ID, /teu-runtime/);
  });

  test("docker: run gives output, input and exit codes through", () => {
    assert.equal(shell(["--runtime", "teu"], "echo hello"), "hello");
    expect(run([], "sh", "-c", "exit 7"), 7);
    const streams = dockerWith(
      { input: "typed\n" },
      "run",
      "--rm",
      "--interactive",
      IMAGE,
      "sh",
      "-c",
      "cat; echo e >&2",
    );
    assert.deepEqual([streams.code, streams.out, streams.err], [0, "typed", "e"]);
  });

  test("docker: run exits with 125, 126 and 127 for the usual reasons", () => {
    assert.match(expect(run([], "nothing"), 127).all, /"nothing": executable file not found in \$PATH/);
    assert.match(expect(run([], "/nothing"), 127).all, /stat \/nothing: no such file or directory/);
    // 125 from dockerd 20.10, 127 from later ones.
    assert.match(run([], "/bin/sh/x").all, /exec: "\/bin\/sh\/x": stat \/bin\/sh\/x: not a directory/);
    expect(run([], "/etc"), 126);
    assert.match(expect(run([], "/etc/passwd"), 126).all, /permission denied/);
    expect(run(["--sysctl", "kernel.pid_max=1000"], "true"), 125);
    expect(run(["--workdir", "/etc/passwd/x"], "true"), 125);
    assert.equal(ok("ps", "--all", "--quiet"), "");
  });

  test("docker: run --interactive --tty has a terminal of the client's size", () => {
    const script =
      'for i in $(seq 100); do [ "$(stty size)" = "33 77" ] && break; sleep 0.05; done; stty size; tty; read a; echo got:$a; exit 5';
    const typed = sandbox.typed(
      "sh",
      [
        ...["-c", 'stty rows 33 cols 77; exec "$@"', "sh", DOCKER, "--host", dockerAddress(sandbox)],
        ...["run", "--rm", "--interactive", "--tty", IMAGE, "sh", "-c", script],
      ],
      "word\n",
    );
    assert.match(typed.out, /33 77\s+\/dev\/(pts\/0|console)[\s\S]*got:word/);
    assert.equal(typed.code, 5);
  });

  test("docker: exec with user, directory, environment, terminal, and its exit codes", () => {
    const name = detached([], "sleep", "1000");
    expect(docker("exec", name, "sh", "-c", "exit 4"), 4);
    const flags = ["--user", "nobody", "--workdir", "/tmp", "--env", "WORD=x y"];
    assert.equal(ok("exec", ...flags, name, "sh", "-c", 'id -u; pwd; echo "$WORD"'), "65534\n/tmp\nx y");
    // dockerd 20.10 knows only 126 here, later ones 127 too; the texts are what they tell them by.
    for (const [program, text] of [
      ["nothing", /"nothing": executable file not found in \$PATH/],
      ["/nothing", /stat \/nothing: no such file or directory/],
      ["/etc", /permission denied/],
      ["/etc/passwd", /permission denied/],
    ] as const)
      assert.match(expect(docker("exec", name, program), 126).all, text);
    assert.equal(dockerWith({ input: "in" }, "exec", "--interactive", name, "cat").out, "in");
    const typed = sandbox.typed(
      DOCKER,
      [
        "--host",
        dockerAddress(sandbox),
        "exec",
        "--interactive",
        "--tty",
        name,
        "sh",
        "-c",
        "tty; read a; echo got:$a; exit 6",
      ],
      "word\n",
    );
    assert.match(typed.out, /\/dev\/pts\/0[\s\S]*got:word/);
    assert.equal(typed.code, 6);
    if (hasCapability(CAP_SYS_RESOURCE))
      assert.match(ok("exec", "--privileged", name, "grep", "CapBnd", "/proc/self/status"), /CapBnd:\s+0*1f/);
    ok("rm", "--force", name);
  });

  test("docker: top shows what a detached exec runs, and ends it with the container", () => {
    const name = detached([], "sleep", "1000");
    ok("exec", "--detach", name, "sleep", "2000");
    until("both are there", () => /sleep 1000[\s\S]*sleep 2000/.test(ok("top", name)));
    assert.match(ok("top", name, "-o", "pid,args"), /sleep 2000/);
    ok("kill", name);
    assert.equal(ok("wait", name), "137");
    ok("rm", name);
    assert.doesNotMatch(sandbox.run("sh", ["-c", "cat /proc/[0-9]*/cmdline"]).out, /sleep\0(1|2)000/);
  });

  test("docker: pause and unpause; a paused container takes no exec and can be removed", () => {
    const name = detached([], "sleep", "1000");
    ok("pause", name);
    assert.equal(inspect(name, "{{.State.Status}}"), "paused");
    assert.match(docker("exec", name, "true").all, /is paused/);
    ok("unpause", name);
    ok("exec", name, "true");
    ok("pause", name);
    ok("rm", "--force", name);
  });

  test("docker: limits are in the container's cgroup, and update changes them", () => {
    const flags = ["--memory", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "512"];
    const name = detached([...flags, "--pids-limit", "50", "--cpuset-cpus", "0"], "sleep", "1000");
    const limits = (): string[] => [
      cgroupFile(name, "memory", "memory.limit_in_bytes"),
      cgroupFile(name, "memory", "memory.soft_limit_in_bytes"),
      cgroupFile(name, "cpu", "cpu.cfs_quota_us"),
      cgroupFile(name, "cpu", "cpu.shares"),
      cgroupFile(name, "pids", "pids.max"),
      cgroupFile(name, "cpuset", "cpuset.cpus"),
    ];
    assert.deepEqual(limits(), [String(64 << 20), String(32 << 20), "50000", "512", "50", "0"]);
    const changes = ["--memory", "80m", "--memory-swap", "160m", "--memory-reservation", "40m", "--cpus", "0.7"];
    ok("update", ...changes, "--cpu-shares", "300", "--pids-limit", "70", "--cpuset-cpus", "0-1", name);
    assert.deepEqual(limits(), [String(80 << 20), String(40 << 20), "70000", "300", "70", "0-1"]);
    const refused = docker("update", "--memory", "4k", name);
    assert.notEqual(refused.code, 0);
    ok("rm", "--force", name);
  });

  test("docker: stats and an OOM kill are seen", (context) => {
    const strange = strangeControllers(sandbox);
    if (strange !== "") return context.skip(`another mount namespace has mounted ${strange}: containerd gives up`);
    const name = detached(
      ["--memory", "32m", "--memory-swap", "32m"],
      "sh",
      "-c",
      "read a < /proc/self/stat; sleep 1000",
    );
    const stats = ok("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", name);
    assert.match(stats, /[KM]iB \/ 32MiB \d/);
    ok("rm", "--force", name);
    const eater = detached(
      ["--memory", "16m", "--memory-swap", "16m"],
      "sh",
      "-c",
      "dd if=/dev/zero of=/dev/null bs=64M count=1",
    );
    assert.match(ok("wait", eater), /^(137|1)$/);
    until("the OOM kill is recorded", () => inspect(eater, "{{.State.OOMKilled}}") === "true", 5);
    ok("rm", eater);
  });

  test("docker: stop asks first, kill sends what it is told, restart and wait work", () => {
    const name = detached([], "sh", "-c", 'trap "echo asked; exit 3" TERM; echo ready; while :; do sleep 0.05; done');
    const ready = (times: number): void =>
      until("the trap is set", () => ok("logs", name).split("ready").length > times);
    ready(1);
    ok("stop", "--time", "20", name);
    assert.equal(inspect(name, "{{.State.ExitCode}}"), "3");
    assert.match(ok("logs", name), /asked/);
    ok("start", name);
    ready(2);
    ok("restart", "--time", "20", name);
    ready(3);
    ok("kill", "--signal", "TERM", name);
    assert.equal(ok("wait", name), "3");
    ok("start", name);
    ok("kill", name);
    assert.equal(ok("wait", name), "137");
    ok("rm", name);
  });

  test("docker: a restart policy restarts", () => {
    const name = detached(["--restart", "on-failure:2"], "sh", "-c", "echo once; exit 1");
    until("it has been restarted twice", () => inspect(name, "{{.RestartCount}} {{.State.Status}}") === "2 exited");
    assert.equal(ok("logs", name), "once\nonce\nonce");
    ok("rm", name);
  });

  test("docker: run --init has an init that passes signals on", () => {
    assert.match(shell(["--init"], "cat /proc/1/cmdline"), /docker-init/);
    const name = detached(["--init"], "sleep", "1000");
    ok("stop", "--time", "20", name);
    assert.equal(inspect(name, "{{.State.ExitCode}}"), "143");
    ok("rm", name);
  });

  test("docker: capabilities, user, privileges", () => {
    const caps = (...flags: string[]): string =>
      /CapEff:\s*(\w+)/.exec(shell(flags, "cat /proc/self/status"))?.[1] ?? "";
    assert.equal(caps(), "00000000a80425fb");
    assert.equal(caps("--cap-drop", "ALL"), "0000000000000000");
    assert.equal(caps("--cap-drop", "ALL", "--cap-add", "NET_ADMIN"), "0000000000001000");
    assert.equal(shell(["--user", "65534:65534", "--group-add", "5"], "id -u; id -G"), "65534\n65534 5");
    assert.match(shell(["--security-opt", "no-new-privileges"], "cat /proc/self/status"), /NoNewPrivs:\s+1/);
    assert.match(shell([], "cat /proc/self/status"), /Seccomp:\s+2/);
    assert.match(shell(["--security-opt", "seccomp=unconfined"], "cat /proc/self/status"), /Seccomp:\s+0/);
    const privileged = run(
      ["--privileged"],
      "sh",
      "-c",
      "mount -t tmpfs t /mnt 2>&1 || mkdir /mnt && mount -t tmpfs t /mnt && echo mounted",
    );
    if (hasCapability(CAP_SYS_RESOURCE)) assert.match(expect(privileged).out, /mounted/);
    else {
      // Every runtime refuses what it has not; ours says what that is.
      assert.match(expect(privileged, 125).all, /unable to apply caps: operation not permitted/);
      if (RUNTIME_NAME === "teu-runtime") assert.match(privileged.all, /CAP_SYS_RESOURCE/);
    }
  });

  test("docker: a seccomp profile of one's own", () => {
    const profile = join(sandbox.directory, "profile.json");
    writeFileSync(
      profile,
      JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }],
      }),
    );
    const outcome = run(["--security-opt", `seccomp=${profile}`], "mkdir", "/x");
    assert.match(outcome.all, /Function not implemented/);
  });

  test("docker: read-only root, tmpfs, volumes, shm, devices, ulimits, sysctls", () => {
    const options = ["--read-only", "--tmpfs", "/scratch:size=1m", "--shm-size", "2m"];
    const text = shell(
      options,
      "touch /x 2>&1; stat -c %a /scratch; touch /scratch/x && grep -E ' /(scratch|dev/shm) ' /proc/mounts",
    );
    assert.match(text, /Read-only file system\n1777\n/);
    assert.match(text, /\/dev\/shm .*size=2048k/);
    assert.match(text, /\/scratch .*size=1024k/);
    const host = sandbox.path("volume");
    const volumes = ["--volume", `${host}:/rw`, "--volume", `${host}:/ro:ro`, "--volume", "named:/named"];
    assert.match(
      shell(volumes, "echo w > /rw/f; cat /ro/f; touch /ro/g 2>&1; touch /named/n; true"),
      /^w\n.*Read-only/,
    );
    assert.equal(shell(volumes, "ls /named"), "n");
    ok("volume", "rm", "named");
    assert.equal(
      shell(["--device", "/dev/null:/dev/nothing:rw"], "echo x > /dev/nothing && test -c /dev/nothing && echo yes"),
      "yes",
    );
    assert.match(run([], "sh", "-c", "mknod /tmp/d b 8 0 && cat /tmp/d").all, /Operation not permitted/);
    assert.equal(
      shell(["--ulimit", "nofile=100:200", "--ulimit", "core=0"], "ulimit -n; ulimit -Hn; ulimit -c"),
      "100\n200\n0",
    );
    assert.equal(
      shell(
        ["--sysctl", "net.ipv4.ip_unprivileged_port_start=99", "--network", "none"],
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
      ),
      "99",
    );
    assert.equal(shell(["--hostname", "named-box", "--domainname", "example.org"], "hostname"), "named-box");
  });

  test("docker: namespaces of the host and of other containers", () => {
    const here = (type: string): string => sandbox.run("readlink", [`/proc/self/ns/${type}`]).out;
    const name = detached(["--ipc", "shareable"], "sleep", "1000");
    const pid = inspect(name, "{{.State.Pid}}");
    const there = (type: string): string => sandbox.run("readlink", [`/proc/${pid}/ns/${type}`]).out;
    const own = (type: string, ...flags: string[]): string => shell(flags, `readlink /proc/self/ns/${type}`);
    assert.equal(own("pid", "--pid", "host"), here("pid"));
    assert.equal(own("ipc", "--ipc", "host"), here("ipc"));
    assert.equal(own("uts", "--uts", "host"), here("uts"));
    assert.equal(own("net", "--network", "host"), here("net"));
    assert.equal(own("cgroup", "--cgroupns", "host"), here("cgroup"));
    assert.notEqual(own("cgroup", "--cgroupns", "private"), here("cgroup"));
    assert.equal(own("pid", "--pid", `container:${name}`), there("pid"));
    assert.equal(own("ipc", "--ipc", `container:${name}`), there("ipc"));
    assert.equal(own("net", "--network", `container:${name}`), there("net"));
    assert.match(shell(["--pid", `container:${name}`], "ps"), /sleep 1000/);
    assert.equal(inspect(name, "{{.State.Running}}"), "true", "the end of those that shared leaves it alone");
    ok("rm", "--force", name);
  });

  test("docker: without a process namespace of its own every process ends with the first", () => {
    const name = detached(["--pid", "host"], "sh", "-c", "sleep 3000 & sleep 3001 & exec sleep 1000");
    until("all run", () => ok("top", name).includes("3001"));
    ok("rm", "--force", name);
    until("all have ended", () => !/sleep.300[01]/.test(sandbox.run("sh", ["-c", "cat /proc/[0-9]*/cmdline"]).out));
  });

  test("docker: a health check runs", () => {
    const name = detached(["--health-cmd", "test -e /tmp/well", "--health-interval", "200ms"], "sleep", "1000");
    ok("exec", name, "touch", "/tmp/well");
    until("it is healthy", () => inspect(name, "{{.State.Health.Status}}") === "healthy");
    ok("rm", "--force", name);
  });

  test("docker: build runs its steps, cp and commit work on a running container", () => {
    const context = sandbox.path("context");
    writeFileSync(
      join(context, "Dockerfile"),
      `FROM ${IMAGE}\nRUN echo built > /built && echo somebody:x:7:7::/:/bin/sh >> /etc/passwd\nUSER somebody\n`,
    );
    const environment = { env: { DOCKER_BUILDKIT: "0" } };
    expect(dockerWith(environment, "build", "--network", "none", "--tag", "built", context));
    assert.equal(ok("run", "--rm", "built", "sh", "-c", "cat /built; id -un"), "built\nsomebody");
    const name = detached([], "sleep", "1000");
    ok("cp", join(context, "Dockerfile"), `${name}:/tmp/copied`);
    assert.match(ok("exec", name, "cat", "/tmp/copied"), /FROM/);
    ok("commit", name, "committed");
    assert.match(ok("run", "--rm", "committed", "cat", "/tmp/copied"), /FROM/);
    ok("rm", "--force", name);
  });

  test("docker: nothing is left", () => {
    assert.equal(ok("ps", "--all", "--quiet"), "");
    assert.equal(sandbox.run("sh", ["-c", `ls -d /sys/fs/cgroup/*/${sandbox.cgroup}/*/ 2>/dev/null`]).out, "");
    assert.equal(sandbox.run("sh", ["-c", "ls /var/run/docker/runtime-*/moby"]).out, "");
    assert.doesNotMatch(sandbox.run("cat", ["/proc/mounts"]).out, /overlay2\/.*\/merged/);
  });
});
