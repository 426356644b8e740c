// Every step of a start fails once: the report says why, and the machine is as it was before.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ShimConfig } from "@teu/shim/protocol";
import { Host, RUNTIME, SHIM, sleep, UNABLE } from "./shim-harness.ts";
import type { ContainerOptions, ShimContainer } from "./shim-harness.ts";

const skip = UNABLE ?? false;
const host = skip === false ? new Host() : undefined;
const the = (): Host => host as Host;
const BRIDGE = `teut${Math.floor(Math.random() * 1e6)}`;
const network = {
  mode: "bridge",
  bridge: BRIDGE,
  gateway: "10.98.0.1/24",
  address: "10.98.0.2/24",
  mac: "02:42:0a:62:00:02",
  interfaceName: "eth0",
  ports: [{ hostIp: "0.0.0.0", hostPort: 8200, containerPort: 80, protocol: "tcp" }],
} as const;

before(() => {
  host?.isolateNetwork();
});
after(() => {
  const left = host?.leftovers() ?? [];
  host?.[Symbol.dispose]();
  assert.deepEqual(left, []);
});

// What a shim could leave on the machine: mounts, cgroups, links, rules, open ports.
function machine(): string {
  const cgroups = spawnSync("sh", ["-c", `ls -d /sys/fs/cgroup/*/${the().cgroup}/*/ 2>/dev/null | sort`], {
    encoding: "utf8",
  }).stdout;
  const inside = the().inNetwork("sh", ["-c", "ip -o link | sed 's/^[0-9]*: //'; nft list ruleset; ss -Hltnu"]).output;
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(the().dir)).length;
  return JSON.stringify({ cgroups, inside, mounts });
}

// A runtime that is runc but for what the script does.
function wrapper(name: string, script: string): string {
  const path = `${the().dir}/${name}`;
  writeFileSync(
    path,
    `#!/bin/sh\nfor word in "$@"; do case $word in create|start|kill|delete|exec|pause|resume|state) verb=$word; break;; esac; done\n${script}\nexec ${RUNTIME} "$@"\n`,
  );
  chmodSync(path, 0o755);
  return path;
}

const runtime = (path: string): Pick<ShimConfig, "runtime"> => ({
  runtime: { path, root: the().runtimeRoot, args: [] },
});

const cases: readonly {
  name: string;
  want: RegExp;
  code?: string;
  options: () => ContainerOptions;
  prepare?: (container: ShimContainer) => void;
}[] = [
  {
    name: "the runtime is missing",
    want: /there is no such program/,
    code: "not-found",
    options: () => ({ shim: runtime("/nonexistent/runc") }),
  },
  { name: "the runtime is a directory", want: /run|create/, options: () => ({ shim: runtime("/tmp") }) },
  {
    name: "the runtime refuses",
    want: /out of luck/,
    options: () => ({ shim: runtime(wrapper("refuse", '[ "$verb" = create ] && { echo out of luck >&2; exit 3; }')) }),
  },
  {
    name: "the runtime dies",
    want: /status 137/,
    options: () => ({ shim: runtime(wrapper("die", '[ "$verb" = create ] && kill -9 $$')) }),
  },
  {
    name: "the runtime writes no pid",
    want: /init\.pid|pid file/,
    options: () => ({ shim: runtime(wrapper("nopid", '[ "$verb" = create ] && exit 0')) }),
  },
  {
    name: "the runtime writes nonsense as pid",
    want: /pid file says "1; rm/,
    options: () => ({
      shim: runtime(
        wrapper(
          "badpid",
          '[ "$verb" = create ] && { while [ "$1" != --pid-file ]; do shift; done; printf "1; rm" > "$2"; exit 0; }',
        ),
      ),
    }),
  },
  {
    name: "the runtime sends no terminal",
    want: /no terminal|pid/,
    options: () => ({
      shim: {
        terminal: true,
        ...runtime(
          wrapper(
            "notty",
            '[ "$verb" = create ] && { while [ "$1" != --pid-file ]; do shift; done; sleep 30 >/dev/null 2>&1 & printf $! > "$2"; exit 0; }',
          ),
        ),
      },
    }),
  },
  {
    name: "config.json is missing",
    want: /config\.json/,
    options: () => ({}),
    prepare: (container) => void spawnSync("rm", [`${container.config.bundle}/config.json`]),
  },
  {
    name: "the program is missing",
    want: /executable file not found/,
    code: "invalid",
    options: () => ({ args: ["nope"] }),
  },
  {
    name: "a layer is missing",
    want: /nonexistent\/layer","message":"does not exist"/,
    code: "not-found",
    options: () => ({ shim: { rootfs: { kind: "overlay", lower: ["/nonexistent/layer"] } } }),
  },
  {
    name: "a layer is a file",
    want: /is not a directory/,
    options: () => ({ shim: { rootfs: { kind: "overlay", lower: ["/etc/passwd"] } } }),
  },
  {
    name: "upper and work are the same",
    want: /overlay|EINVAL|fsconfig/,
    options: () => ({ shim: { rootfs: { kind: "overlay", lower: [the().base], upper: the().dir, work: the().dir } } }),
  },
  {
    name: "the mount point is missing",
    want: /rootfs","message":"does not exist"/,
    options: () => ({}),
    prepare: (container) => void spawnSync("rmdir", [`${container.config.bundle}/rootfs`]),
  },
  {
    name: "the log's directory is missing",
    want: /nonexistent\/log/,
    code: "not-found",
    options: () => ({ shim: { log: { path: "/nonexistent/log", maxSize: 0, maxFiles: 1 } } }),
  },
  {
    name: "the network's address is taken by a link that is no bridge",
    want: /no bridge/,
    options: () => ({ shim: { network: { ...network, bridge: "lo" } } }),
  },
];

for (const { name, want, code, options, prepare } of cases) {
  test(`create: undone when ${name}`, { skip }, async () => {
    const made = options();
    const container = the().container({ args: ["sleep", "100"], ...made, shim: { network, ...made.shim } });
    prepare?.(container);
    const before = machine();
    const report = await container.create();
    assert.equal(report.ok, false, JSON.stringify(report));
    const error = (report as { error: { code: string; message: string; subject?: string; cause?: string } }).error;
    assert.match(JSON.stringify(error).replaceAll("\\", ""), want);
    if (code !== undefined) assert.equal(error.code, code);
    await container.settled();
    for (let i = 0; i < 50 && machine() !== before; i++) await sleep(20);
    assert.equal(machine(), before);
    assert.ok(!existsSync(container.config.exitFile));
    assert.ok(!existsSync(`${container.config.runDir}/state.json`));
    assert.ok(!existsSync(`${container.root}/container.log`));
  });
}

test("create: undone, with a hint, when nft is missing", { skip }, async () => {
  // A mount namespace in which the places of nft are empty.
  const container = the().container({ args: ["true"], shim: { network } });
  const before = machine();
  const hide =
    'for p in /usr/sbin/nft /sbin/nft /usr/bin/nft /bin/nft; do [ -e $p ] && mount --bind /dev/null $p; done; exec "$@"';
  const child = spawn(
    "nsenter",
    [`--net=${the().networkPath}`, "unshare", "-m", "sh", "-c", hide, "sh", SHIM, "--config", container.configFile],
    { stdio: ["ignore", "ignore", "ignore", "pipe"] },
  );
  let line = "";
  for await (const chunk of child.stdio[3] as NodeJS.ReadableStream) line += String(chunk);
  assert.match(line, /no nft program in/);
  assert.match(line, /install nftables/);
  await container.settled();
  assert.equal(machine(), before);
});

test("start: a failure ends the container with the runtime's words, and a record", { skip }, async () => {
  const path = wrapper("nostart", '[ "$verb" = start ] && { echo "exec: \\"x\\": permission denied" >&2; exit 1; }');
  const container = await the()
    .container({ args: ["sleep", "100"], shim: { network, ...runtime(path) } })
    .created();
  const wait = container.ask({ op: "wait" });
  const answer = await container.ask({ op: "start" });
  assert.match(JSON.stringify(answer), /permission denied/);
  assert.equal((await wait).ok, true);
  assert.equal(container.exitFile().code, 126);
  assert.match(container.exitFile().error ?? "", /permission denied/);
  await container.settled();
});

test(
  "delete: a runtime that fails at the end is tried by force, and what is left is said in the record",
  { skip },
  async () => {
    const once = await the()
      .container({
        args: ["true"],
        shim: runtime(
          wrapper("nodelete", '[ "$verb" = delete ] && case "$*" in *--force*) ;; *) echo no >&2; exit 1;; esac'),
        ),
      })
      .created();
    assert.equal((await once.run()).error, null);
    await once.gone();
    assert.match(once.shimLog(), /trying again by force/);
    await once.settled();
    const never = await the()
      .container({
        args: ["true"],
        shim: runtime(wrapper("neverdelete", '[ "$verb" = delete ] && { echo device busy >&2; exit 1; }')),
      })
      .created();
    const exit = await never.run();
    assert.equal(exit.code, 0);
    assert.match(exit.error ?? "", /cannot delete the container: .*device busy/);
    assert.deepEqual(never.exitFile(), exit);
    await never.gone();
    spawnSync(RUNTIME, ["--root", the().runtimeRoot, "delete", "--force", never.id]);
  },
);

test(
  "exit record: goes to RUNROOT when it cannot be written to its place, and who waits is answered",
  { skip },
  async () => {
    const container = await the()
      .container({ args: ["sh", "-c", "exit 6"], shim: { exitFile: "/nonexistent/exit.json" } })
      .created();
    assert.equal((await container.run()).code, 6);
    await container.gone();
    assert.match(container.shimLog(), /the exit record is in RUNROOT: .*ENOENT/);
    const record = join(container.config.runDir, "exit.json");
    assert.equal((JSON.parse(readFileSync(record, "utf8")) as { code: number }).code, 6);
    rmSync(record);
  },
);

test("starter: killed while the shim works, or before it reads the report, changes nothing", { skip }, async () => {
  const container = the().container({ args: ["sleep", "100"], shim: { startTimeoutMs: 1000 } });
  const starter = spawn("sh", ["-c", `exec 3>/dev/full; ${SHIM} --config ${container.configFile} & kill -9 $$`], {
    stdio: "ignore",
  });
  await new Promise((resolve) => starter.once("exit", resolve));
  for (let i = 0; i < 200 && !existsSync(container.socketPath); i++) await sleep(10);
  const state = await container.ask({ op: "state" });
  assert.equal(state.ok && state.state?.status, "created");
  container.shimPid = state.ok ? (state.state?.shimPid ?? 0) : 0;
  await container.gone();
  await container.settled();
});

test("shim killed at any moment of a start: --cleanup leaves nothing", { skip }, async () => {
  const clean = machine();
  for (let milliseconds = 0; milliseconds < 130; milliseconds += 13) {
    const container = the().container({ args: ["sleep", "100"], shim: { network } });
    const creation = container.create().catch(() => undefined);
    await sleep(milliseconds);
    for (const pid of shims(container.id)) spawnSync("kill", ["-9", pid]);
    await creation;
    for (const pid of shims(container.id)) spawnSync("kill", ["-9", pid]);
    await sleep(30);
    const result = the().cleanUp(container);
    assert.equal(result.status, 0, `killed after ${milliseconds} ms: ${result.output}`);
    await container.settled();
    assert.equal(container.exitFile().code, 137);
  }
  for (let i = 0; i < 50 && machine() !== clean; i++) await sleep(20);
  assert.equal(machine(), clean);
});

function shims(id: string): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      return (words[0] ?? "").includes("shim") && words.some((word) => word.includes(id)) && words.includes("--config");
    } catch {
      return false;
    }
  });
}
