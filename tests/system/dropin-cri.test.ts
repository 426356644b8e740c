// The runtime under Kubernetes' interface to containerd (CRI): chosen by its runtime handler's BinaryName, as a kubelet chooses it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CriClient, type Fields, type Message, inner, number, text } from "./dropin-cri-client.ts";
import { busyboxArchive, obstacle, RUNTIME, RUNTIME_NAME, Sandbox, startContainerd, until } from "./dropin-harness.ts";

const IMAGE = "example.org/pause:1";
const NODE_NETWORK = 2;
const POD_NAMESPACE = 0;
const STATE_EXITED = 2;

let sandbox: Sandbox;
let client: CriClient;
let count = 0;

/** The part of config.toml that docs/guide/use-teu-runtime-with.md shows, and what the test needs besides. */
function configuration(): string[] {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return [
    `[${cri}]`,
    `sandbox_image = "${IMAGE}"`,
    // Without CAP_SYS_RESOURCE nobody can give the pod's first process the score of -998 that it is meant to have.
    "restrict_oom_score_adj = true",
    `[${cri}.containerd]`,
    'default_runtime_name = "teu"',
    `[${cri}.containerd.runtimes.teu]`,
    'runtime_type = "io.containerd.runc.v2"',
    `[${cri}.containerd.runtimes.teu.options]`,
    `BinaryName = "${RUNTIME}"`,
  ];
}

function podConfig(name: string): Message {
  const namespaces: Message = [
    [1, NODE_NETWORK],
    [2, POD_NAMESPACE],
    [3, POD_NAMESPACE],
  ];
  const metadata: Message = [
    [1, name],
    [2, `uid-${name}`],
    [3, "default"],
  ];
  const linux: Message = [
    [1, `/${sandbox.cgroup}/pod`],
    [2, [[1, namespaces]]],
  ];
  return [
    [1, metadata],
    [3, sandbox.path("logs")],
    [8, linux],
  ];
}

/** A pod with one running container. */
async function pod(resources: Message, ...command: readonly string[]): Promise<{ pod: string; container: string }> {
  const config = podConfig(`pod${count++}`);
  const made = text(
    await client.call("RunPodSandbox", [
      [1, config],
      [2, "teu"],
    ]),
    1,
  );
  const containerConfig: Message = [
    [1, [[1, "box"]]],
    [2, [[1, IMAGE]]],
    ...command.map((word) => [3, word] as const),
    [11, "box.log"],
    [
      15,
      [
        [1, resources],
        [
          2,
          [
            [
              3,
              [
                [1, NODE_NETWORK],
                [2, POD_NAMESPACE],
                [3, POD_NAMESPACE],
              ],
            ],
          ],
        ],
      ],
    ],
  ];
  const container = text(
    await client.call("CreateContainer", [
      [1, made],
      [2, containerConfig],
      [3, config],
    ]),
    1,
  );
  await client.call("StartContainer", [[1, container]]);
  return { pod: made, container };
}

async function remove(id: string): Promise<void> {
  await client.call("StopPodSandbox", [[1, id]]);
  await client.call("RemovePodSandbox", [[1, id]]);
}

function exec(container: string, ...command: readonly string[]): Promise<Fields> {
  return client.call("ExecSync", [[1, container], ...command.map((word) => [2, word] as const), [3, 20]]);
}

describe("containerd's CRI", { skip: obstacle("/usr/bin/containerd", "/usr/bin/ctr") }, () => {
  before(() => {
    sandbox = new Sandbox();
    const address = startContainerd(sandbox, configuration());
    const archive = busyboxArchive(sandbox.directory, IMAGE, ["sleep", "1000"]);
    const imported = sandbox.run("/usr/bin/ctr", ["--address", address, "-n", "k8s.io", "images", "import", archive]);
    assert.equal(imported.code, 0, imported.all);
    client = new CriClient(address);
  });
  after(() => {
    client[Symbol.dispose]();
    sandbox[Symbol.dispose]();
  });

  test("cri: a pod and a container run with it; exec, its exit codes and texts", async () => {
    const { pod: id, container } = await pod([], "sleep", "1000");
    const root = join("/run/containerd/runc/k8s.io", container);
    const owned = sandbox.run("ls", [root]);
    assert.equal(owned.code, 0, owned.all);
    assert.match(owned.out, RUNTIME_NAME === "runc" ? /state\.json/ : /config\.json/);
    const done = await exec(container, "sh", "-c", "echo out; echo err >&2; exit 3");
    assert.deepEqual([text(done, 1), text(done, 2), number(done, 3)], ["out\n", "err\n", 3]);
    await assert.rejects(exec(container, "nothing"), /executable file .*not found|executable file not found/);
    const started = performance.now();
    await assert.rejects(
      client.call("ExecSync", [
        [1, container],
        [2, "sleep"],
        [2, "1000"],
        [3, 1],
      ]),
      /timeout|deadline/,
    );
    assert.ok(performance.now() - started > 900);
    await remove(id);
  });

  test("cri: limits are set and updated", async () => {
    const limits = (memory: number, quota: number): Message => [
      [1, 100_000],
      [2, quota],
      [4, memory],
    ];
    const { pod: id, container } = await pod(limits(64 << 20, 50_000), "sleep", "1000");
    const read = (controller: string, file: string): string =>
      readFileSync(join("/sys/fs/cgroup", controller, sandbox.cgroup, "pod", container, file), "utf8").trim();
    const now = (): string[] => [read("memory", "memory.limit_in_bytes"), read("cpu", "cpu.cfs_quota_us")];
    assert.deepEqual(now(), [String(64 << 20), "50000"]);
    await client.call("UpdateContainerResources", [
      [1, container],
      [2, limits(80 << 20, 70_000)],
    ]);
    assert.deepEqual(now(), [String(80 << 20), "70000"]);
    await remove(id);
  });

  test("cri: the exit code is told, and stop asks before it kills", async () => {
    const script = 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done';
    const { pod: id, container } = await pod([], "sh", "-c", script);
    until("the trap is set", () => readFileSync(join(sandbox.path("logs"), "box.log"), "utf8").includes("ready"));
    await client.call("StopContainer", [
      [1, container],
      [2, 20],
    ]);
    const status = inner(await client.call("ContainerStatus", [[1, container]]), 1);
    assert.deepEqual([number(status, 3), number(status, 7)], [STATE_EXITED, 9]);
    await client.call("RemoveContainer", [[1, container]]);
    await remove(id);
  });

  test("cri: nothing is left", () => {
    assert.equal(sandbox.run("ls", ["/run/containerd/runc/k8s.io"]).out, "");
    assert.equal(sandbox.run("sh", ["-c", `ls -d /sys/fs/cgroup/*/${sandbox.cgroup}/pod/*/ 2>/dev/null`]).out, "");
    assert.doesNotMatch(sandbox.run("cat", ["/proc/mounts"]).out, /io\.containerd\.runtime\.v2\.task/);
  });
});
