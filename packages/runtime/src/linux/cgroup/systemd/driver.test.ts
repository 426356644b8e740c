import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeHost, fakeHost } from "../../../testing/fake-host.ts";
import { type FakeSystemd, fakeSystemd } from "../../../testing/fake-systemd.ts";

function booted(
  cgroups?: readonly string[],
  socket = "/run/systemd/private",
): { host: FakeHost; systemd: FakeSystemd } {
  const host = fakeHost(cgroups === undefined ? {} : { cgroups });
  host.makeDirectory("/run/systemd/system");
  host.writeFile(socket, "");
  const systemd = fakeSystemd(host.kernel, socket);
  host.configure((spec) => ({
    ...spec,
    linux: { ...spec.linux, cgroupsPath: "machine.slice:teu:c1", resources: { pids: { limit: 5 } } },
  }));
  return { host, systemd };
}

const names = ({ calls }: FakeSystemd): string[] => calls.map(({ member }) => member);
const CREATE = ["--systemd-cgroup", "create", "-b", "/bundle", "c1"];

for (const cgroups of [undefined, [""]]) {
  test(`systemd: a scope with init in it, and the limits are in the cgroup too (${cgroups === undefined ? "v1" : "v2"})`, () => {
    const { host, systemd } = booted(cgroups);
    assert.deepEqual(host.run(CREATE, systemd.kernel), { code: 0, out: "", err: "" });
    assert.deepEqual(names(systemd), ["Subscribe", "StartTransientUnit"]);
    const [unit, mode, properties] = systemd.calls[1]?.body ?? [];
    assert.deepEqual([unit, mode], ["teu-c1.scope", "replace"]);
    const given = new Map((properties as [string, { value: unknown }][]).map(([name, { value }]) => [name, value]));
    const { pid } = JSON.parse(host.run(["state", "c1"]).out) as { pid: number };
    assert.deepEqual([given.get("PIDs"), given.get("Slice"), given.get("Delegate")], [[pid], "machine.slice", true]);
    assert.equal(given.get("TasksMax"), 5n);
    const base = cgroups === undefined ? "/sys/fs/cgroup/pids" : "/sys/fs/cgroup";
    assert.equal(host.kernel.fs.readTextAt(-100, `${base}/machine.slice/teu-c1.scope/pids.max`, 10), "5");
  });
}

test("systemd: delete stops the unit, and removes what it leaves", () => {
  const { host, systemd } = booted();
  host.run(CREATE, systemd.kernel);
  systemd.calls.length = 0;
  assert.deepEqual(host.run(["delete", "-f", "c1"], systemd.kernel), { code: 0, out: "", err: "" });
  assert.deepEqual(names(systemd), ["Subscribe", "StopUnit", "ResetFailedUnit"]);
  assert.equal(host.exists("/sys/fs/cgroup/pids/machine.slice/teu-c1.scope"), false);
});

test("systemd: delete of a unit that systemd has forgotten", () => {
  const { host, systemd } = booted();
  host.run(CREATE, systemd.kernel);
  systemd.failures.set("StopUnit", "org.freedesktop.systemd1.NoSuchUnit");
  assert.equal(host.run(["delete", "-f", "c1"], systemd.kernel).code, 0);
});

test("systemd: update changes the unit and the files", () => {
  const { host, systemd } = booted();
  host.run(CREATE, systemd.kernel);
  systemd.calls.length = 0;
  assert.deepEqual(host.run(["update", "--pids-limit", "9", "c1"], systemd.kernel), { code: 0, out: "", err: "" });
  assert.deepEqual(systemd.calls, [
    {
      member: "SetUnitProperties",
      body: ["teu-c1.scope", true, [["TasksMax", { signature: "t", value: 9n }]]],
    },
  ]);
  assert.equal(host.kernel.fs.readTextAt(-100, "/sys/fs/cgroup/pids/machine.slice/teu-c1.scope/pids.max", 10), "9");
});

test("systemd: what is left of a failed unit is reset, once", () => {
  const { host, systemd } = booted();
  systemd.failures.set("StartTransientUnit", "org.freedesktop.systemd1.UnitExists");
  assert.equal(host.run(CREATE, systemd.kernel).code, 0);
  assert.deepEqual(names(systemd), ["Subscribe", "StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"]);
});

for (const [name, prepare, text] of [
  ["the unit is refused", (one: FakeSystemd) => one.failures.set("StartTransientUnit", "org.x.Denied"), /refused so/],
  ["its job fails", (one: FakeSystemd) => Object.assign(one, { result: "failed" }), /job ended as .*failed/],
] as const) {
  test(`systemd: nothing is left when ${name}`, () => {
    const { host, systemd } = booted();
    prepare(systemd);
    const outcome = host.run(CREATE, systemd.kernel);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, text);
    assert.equal(host.exists("/run/teu/c1"), false);
    assert.equal(host.exists("/sys/fs/cgroup/pids/machine.slice/teu-c1.scope"), false);
    assert.ok(names(systemd).includes("StopUnit"));
  });
}

test("systemd: over the bus when there is no private socket: Hello first", () => {
  const { host, systemd } = booted(undefined, "/run/dbus/system_bus_socket");
  assert.equal(host.run(CREATE, systemd.kernel).code, 0);
  assert.deepEqual(names(systemd).slice(0, 3), ["Hello", "AddMatch", "Subscribe"]);
});

test("systemd: the caller's own manager when rootless, below its cgroup", () => {
  const host = fakeHost({ env: ["XDG_RUNTIME_DIR=/run/user/0"], cgroups: [""] });
  host.makeDirectory("/run/systemd/system");
  host.writeFile("/run/user/0/bus", "");
  const systemd = fakeSystemd(host.kernel, "/run/user/0/bus");
  assert.equal(host.run(["--rootless=true", ...CREATE], systemd.kernel).code, 0);
  assert.ok(
    host.exists("/sys/fs/cgroup/user.slice/user-0.slice/user@0.service/user.slice/runc-c1.scope"),
    "below the manager's cgroup",
  );
});

test("systemd: a clear error at once where none runs, and for an address that is no socket", () => {
  const host = fakeHost();
  for (const words of [CREATE, ["--cgroup-manager", "systemd", ...CREATE.slice(1)]]) {
    const outcome = host.run(words);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, /systemd not running on this host, cannot use systemd cgroups manager/);
  }
  assert.equal(host.exists("/run/teu/c1"), false);
  const other = fakeHost({ env: ["DBUS_SYSTEM_BUS_ADDRESS=tcp:host=localhost,port=1"] });
  assert.match(other.run(CREATE).err, /is no unix socket/);
});

test("systemd: unavailable when it cannot be reached", () => {
  const host = fakeHost();
  host.makeDirectory("/run/systemd/system");
  assert.match(host.run(CREATE).err, /cannot connect to systemd .*cannot be reached/);
});

test("systemd: commands on a container without a unit do not ask for it", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(host.run(["--systemd-cgroup", "delete", "-f", "c1"]).code, 0);
});
