import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@teu/sys/fake/inode";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";

function hostWithAgent(noNewPrivileges: boolean): FakeHost {
  const host = fakeHost({ listeners: ["/run/agent.sock"] });
  host.configure((spec) => ({
    ...spec,
    process: { ...spec.process, cwd: "/", noNewPrivileges },
    linux: {
      ...spec.linux,
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        listenerPath: "/run/agent.sock",
        listenerMetadata: "m",
        syscalls: [{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }],
      },
    },
  }));
  return host;
}

for (const noNewPrivileges of [true, false]) {
  test(`seccomp notify: the agent gets one message with one fd at create (noNewPrivileges ${noNewPrivileges})`, () => {
    const host = hostWithAgent(noNewPrivileges);
    assert.equal(host.run(["create", "-b", "/bundle", "c1"]).err, "");
    const messages = host.sent.get("/run/agent.sock") ?? [];
    assert.equal(messages.length, 1);
    assert.equal(messages[0]?.files.length, 1);
    const told = JSON.parse(decode(messages[0]?.data ?? new Uint8Array(0))) as { pid: number; metadata: string };
    const { pid } = JSON.parse(host.run(["state", "c1"]).out) as { pid: number };
    assert.deepEqual([told.pid, told.metadata], [pid, "m"]);
    assert.equal(host.run(["start", "c1"]).err, "");
    assert.equal(host.world.process(pid, "test").seccomp, 1);
    host.run(["exec", "c1", "/bin/true"]);
    assert.equal(messages.length, 2);
  });
}

test("seccomp notify: the child's error when it cannot load the filter, and everything undone", () => {
  const host = hostWithAgent(true);
  host.failOn("seccomp.load", 1, "EINVAL");
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(outcome.code, 1);
  assert.equal(host.exists("/run/teu/c1"), false);
});

test("seccomp notify: denied, and everything undone, when the descriptor cannot be fetched", () => {
  const host = hostWithAgent(true);
  host.failOn("process.pidfdGetfd", 1, "EPERM");
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.match(outcome.err, /CAP_SYS_PTRACE/);
  assert.equal(host.exists("/run/teu/c1"), false);
  assert.deepEqual(host.leaks().cgroups, []);
});
