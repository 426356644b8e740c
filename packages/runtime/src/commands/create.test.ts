import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@teu/sys/fake/inode";
import { fakeHost, plainSpec } from "../testing/fake-host.ts";

test("create: container waits, pid file has digits only, state is created", () => {
  const host = fakeHost();
  assert.deepEqual(host.run(["create", "--bundle", "/bundle", "--pid-file", "/run/pid", "c1"]), {
    code: 0,
    out: "",
    err: "",
  });
  assert.equal(host.status("c1"), "created");
  assert.match(host.kernel.fs.readTextAt(-100, "/run/pid", 100), /^\d+$/);
});

test("create: already-exists when the id is taken", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  const again = host.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(again.code, 1);
  assert.match(again.err, /container with given ID already exists/);
  assert.equal(host.status("c1"), "created");
});

test("create: denied when a link has the name of the container's directory", () => {
  const host = fakeHost();
  host.writeFile("/victim/state.json", '{"pid":0,"cgroup":{"kind":"none","directories":[]}}');
  host.makeDirectory("/run/teu");
  host.makeLink("/run/teu/c1", "/victim");
  for (const words of [
    ["create", "-b", "/bundle", "c1"],
    ["delete", "--force", "c1"],
  ])
    assert.match(host.run(words).err, /is not a directory/);
  assert.equal(host.exists("/victim/state.json"), true);
});

test("create: goes on where a killed create left its directory", () => {
  const host = fakeHost();
  host.makeDirectory("/run/teu/c1");
  assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 0);
});

for (const [name, id] of [
  ["a path", "../x"],
  ["two dots", ".."],
  ["empty", ""],
  ["a slash", "a/b"],
  ["the cache", ".cache"],
] as const) {
  test(`create: invalid when the id is ${name}`, () => {
    const outcome = fakeHost().run(["create", "-b", "/bundle", id]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, /invalid container ID format/);
  });
}

for (const [uid, owner] of [
  [1000, 1000],
  [0, 7],
] as const) {
  test(`create: standard streams belong to ${owner} when the user is ${uid}`, () => {
    const host = fakeHost();
    host.writeFile("/out", "");
    host.kernel.fs.chownAt(-100, "/out", 7, 8, 0);
    host.kernel.fs.dup3(host.kernel.fs.openat(-100, "/out", 1, 0), 1, false);
    host.configure((spec) => ({ ...spec, process: { cwd: "/", ...spec.process, user: { uid, gid: 5 } } }));
    assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 0);
    const stat = host.kernel.fs.statAt(-100, "/out", 0);
    assert.deepEqual([stat.uid, stat.gid], [owner, 8]);
  });
}

// Whichever kernel call fails: an error is told, and no state, cgroup, process or fd of ours is left.
const FAILURES: readonly (readonly [string, number, string])[] = [
  ["mount.moveMount", 1, "EPERM"],
  ["mount.moveMount", 5, "EPERM"],
  ["mount.openTree", 1, "EINVAL"],
  ["mount.fsmount", 2, "EPERM"],
  ["mount.pivotRoot", 1, "EINVAL"],
  ["process.clone3", 2, "EAGAIN"],
  ["process.sethostname", 1, "EPERM"],
  ["process.setresuid", 1, "EPERM"],
  ["capability.capset", 1, "EPERM"],
  ["fs.mkdirAt", 4, "ENOSPC"],
  ["fs.mknodAt", 3, "EPERM"],
  ["process.setrlimit", 1, "EPERM"],
  ["fs.replaceFileAt", 2, "ENOSPC"],
  ["fs.write", 2, "ENOSPC"],
  ["fs.renameAt", 1, "ENOSPC"],
  ["fs.writeTextAt", 3, "EBUSY"],
];
for (const [call, nth, errno] of FAILURES) {
  test(`create: everything undone when ${call} number ${nth} fails with ${errno}`, () => {
    const host = fakeHost();
    host.failOn(call, nth, errno);
    const outcome = host.run(["create", "-b", "/bundle", "c1"]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, new RegExp(errno));
    assert.equal(host.exists("/run/teu/c1"), false);
    assert.deepEqual(host.leaks().cgroups, []);
    assert.equal(
      [...host.world.processes.values()].filter((one) => one.pid !== 100 && one.state === "running").length,
      0,
    );
    assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 0, "and the next create works");
  });
}

test("create: sends the terminal's master to the console socket", () => {
  const host = fakeHost({ listeners: ["/run/console.sock"] });
  host.configure((spec) => ({ ...spec, process: { ...spec.process, cwd: "/", terminal: true } }));
  assert.equal(host.run(["create", "-b", "/bundle", "--console-socket", "/run/console.sock", "c1"]).code, 0);
  const [message] = host.sent.get("/run/console.sock") ?? [];
  assert.equal(decode(message?.data ?? new Uint8Array(0)), "/dev/pts/0");
  assert.equal(message?.files.length, 1);
});

test("create: invalid when a terminal has no console socket", () => {
  const host = fakeHost();
  host.configure((spec) => ({ ...spec, process: { ...spec.process, cwd: "/", terminal: true } }));
  assert.match(
    host.run(["create", "-b", "/bundle", "c1"]).err,
    /cannot allocate tty if runc will detach without setting console socket/,
  );
});

test("create: not-found in runc's words when there is no config.json", () => {
  assert.match(fakeHost().run(["create", "-b", "/nowhere", "c1"]).err, /JSON specification file config.json not found/);
});

test("create: the program is looked up before start", () => {
  const host = fakeHost();
  host.configure((spec) => ({ ...spec, process: { ...spec.process, cwd: "/", args: ["nope"] } }));
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.match(outcome.err, /exec: \\"nope\\": executable file not found in \$PATH/);
  assert.equal(host.exists("/run/teu/c1"), false);
});

test("create: a directory as program is told in the words of old and new engines", () => {
  const host = fakeHost();
  host.configure((spec) => ({ ...spec, process: { ...spec.process, cwd: "/", args: ["/proc"] } }));
  assert.match(
    host.run(["create", "-b", "/bundle", "c1"]).err,
    /exec: \\"\/proc\\": is a directory: permission denied/,
  );
});

test("create: capabilities that the runtime has not are named", () => {
  const host = fakeHost();
  host.configure((spec) => ({
    ...spec,
    process: { ...spec.process, cwd: "/", capabilities: { permitted: ["CAP_SYS_RESOURCE", "CAP_KILL"] } },
  }));
  host.world.self.permitted = new Set([...host.world.self.permitted].filter((capability) => capability !== 24));
  assert.match(
    host.run(["create", "-b", "/bundle", "c1"]).err,
    /unable to apply caps: operation not permitted \(the runtime itself has no CAP_SYS_RESOURCE\): capset: EPERM/,
  );
});

test("create: a device that is there already, and belongs to nobody whom the user namespace knows, is taken as it is", () => {
  const host = fakeHost();
  host.configure((spec) => ({
    ...spec,
    mounts: [
      ...(spec.mounts ?? []),
      { destination: "/dev/null", type: "bind", source: "/dev/null", options: ["bind"] },
    ],
  }));
  host.kernel.fs.chownAt(-100, "/dev/null", 65534, 65534, 0);
  host.kernel.fs.writeTextAt(-100, "/proc/self/uid_map", "0 1000 1\n");
  host.failOn("fs.chownAt", 1, "EPERM");
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(outcome.code, 0, outcome.err);
});

test("create: denied, and nothing is left, when our own executable could be overwritten (CVE-2019-5736)", () => {
  const host = fakeHost();
  const { kernel } = host;
  const outcome = host.run(["create", "-b", "/bundle", "c1"], {
    ...kernel,
    process: { ...kernel.process, imageSealed: () => false },
  });
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /could overwrite/);
  assert.equal(host.exists("/run/teu/c1"), false);
  assert.deepEqual(host.leaks().cgroups, []);
});

/** A cgroup that somebody else made, with a process in `at`. */
function foreignCgroup(host: ReturnType<typeof fakeHost>, hierarchy: string, path: string, at: string): void {
  const { fs } = host.kernel;
  fs.mkdirAt(-100, `/sys/fs/cgroup/${hierarchy}/${path}`, 0o755);
  if (at !== path) fs.mkdirAt(-100, `/sys/fs/cgroup/${hierarchy}/${at}`, 0o755);
  const { pid } = host.kernel.process.clone3({ flags: 0 });
  fs.writeTextAt(-100, `/sys/fs/cgroup/${hierarchy}/${at}/cgroup.procs`, String(pid));
}

for (const [name, hierarchy, at] of [
  ["v1", "memory", "theirs"],
  ["v2", "unified", "theirs"],
  ["v1, in a child of it", "pids", "theirs/child"],
] as const) {
  test(`create: conflict when its cgroup has processes of others, which stays as it is (${name})`, () => {
    const host = fakeHost();
    foreignCgroup(host, hierarchy, "theirs", at);
    host.kernel.fs.mkdirAt(-100, `/sys/fs/cgroup/${hierarchy}/theirs/empty`, 0o755);
    host.configure((spec) => ({ ...spec, linux: { ...spec.linux, cgroupsPath: "/theirs" } }));
    const before = host.leaks().cgroups;
    const outcome = host.run(["create", "-b", "/bundle", "c1"]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, /container's cgroup is not empty/);
    assert.deepEqual(host.leaks().cgroups, before);
    assert.equal(host.exists("/run/teu/c1"), false);
  });
}

test("create: goes on in an empty cgroup that a killed create left", () => {
  const host = fakeHost();
  host.kernel.fs.mkdirAt(-100, "/sys/fs/cgroup/memory/c1", 0o755);
  assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 0);
});

test("create: conflict instead of waiting for ever when its cgroup is frozen", () => {
  const host = fakeHost();
  host.kernel.fs.mkdirAt(-100, "/sys/fs/cgroup/freezer/c1", 0o755);
  host.kernel.fs.writeTextAt(-100, "/sys/fs/cgroup/freezer/c1/freezer.state", "FROZEN");
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /container's cgroup unexpectedly frozen/);
});

for (const [given, text] of [
  ["-1", /want 0 to 1024/],
  ["1025", /want 0 to 1024/],
  ["99999999999", /want 0 to 1024/],
] as const) {
  test(`create: invalid when --preserve-fds is ${given}`, () => {
    const outcome = fakeHost().run(["create", "-b", "/bundle", "--preserve-fds", given, "c1"]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, text);
  });
}

test("create: --config names another file, also one that is not in the bundle", () => {
  const host = fakeHost();
  host.writeFile("/other.json", JSON.stringify({ ...plainSpec(), annotations: { from: "other" } }));
  assert.equal(host.run(["create", "-b", "/bundle", "-f", "other.json", "c1"]).code, 0);
  assert.match(host.run(["state", "c1"]).out, /"from": "other"/);
  assert.match(host.run(["create", "-b", "/bundle", "--config=none.json", "c2"]).err, /none.json not found/);
});

test("create: invalid, and nothing is left, when a joined user namespace has other mappings", () => {
  const host = fakeHost();
  host.makeLink("/run/ns/user", "user:[7]");
  const maps = [{ containerID: 0, hostID: 1000, size: 10 }];
  host.configure((spec) => ({
    ...spec,
    linux: {
      ...spec.linux,
      namespaces: [...(spec.linux?.namespaces ?? []), { type: "user", path: "/run/ns/user" }],
      uidMappings: maps,
      gidMappings: maps,
    },
  }));
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /user namespace \/run\/ns\/user has other mappings/);
  assert.equal(host.exists("/run/teu/c1"), false);
  assert.equal(
    [...host.world.processes.values()].filter((one) => one.pid !== 100 && one.state === "running").length,
    0,
  );
});

test("create: the error of a user namespace that cannot be joined", () => {
  const host = fakeHost();
  host.makeLink("/run/ns/user", "user:[7]");
  host.configure((spec) => ({
    ...spec,
    linux: {
      ...spec.linux,
      namespaces: [...(spec.linux?.namespaces ?? []), { type: "user", path: "/run/ns/user" }],
    },
  }));
  host.failOn("namespace.setns", 1, "EINVAL");
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, /EINVAL/);
  assert.equal(host.exists("/run/teu/c1"), false);
});

for (const [memory, warns] of [
  [{ kernel: 1 }, true],
  [{ kernelTCP: 1 }, true],
  [{ useHierarchy: true }, false],
  [{}, false],
] as const)
  test(`create: memory ${JSON.stringify(memory)} has no effect, and is ${warns ? "" : "not "}warned of, as runc does`, () => {
    const host = fakeHost();
    host.configure((spec) => ({ ...spec, linux: { ...spec.linux, resources: { memory } } }));
    const { code, err } = host.run(["create", "-b", "/bundle", "c1"]);
    assert.equal(code, 0);
    if (warns) assert.match(err, /level=warning msg="Kernel memory settings are ignored and will be removed"/);
    else assert.equal(err, "");
  });
