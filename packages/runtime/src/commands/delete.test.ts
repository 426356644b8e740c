import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../testing/fake-host.ts";

test("delete: state and cgroups are gone when stopped", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  host.run(["kill", "c1", "9"]);
  assert.deepEqual(host.run(["delete", "c1"]), { code: 0, out: "", err: "" });
  assert.equal(host.exists("/run/teu/c1"), false);
  assert.deepEqual(host.leaks().cgroups, []);
});

test("delete: a created container is killed first", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  assert.equal(host.run(["delete", "c1"]).code, 0);
  assert.deepEqual(host.leaks().cgroups, []);
});

test("delete: conflict in runc's words when running, and nothing is touched", () => {
  const host = fakeHost();
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  assert.match(host.run(["delete", "c1"]).err, /cannot delete container c1 that is not stopped: running/);
  assert.equal(host.status("c1"), "running");
});

test("delete: --force kills a running one", () => {
  const host = fakeHost();
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  assert.equal(host.run(["delete", "--force", "c1"]).code, 0);
  assert.equal(host.exists("/run/teu/c1"), false);
});

test("delete: not-found without --force, success with it, when missing", () => {
  const host = fakeHost();
  assert.match(host.run(["delete", "c1"]).err, /container does not exist/);
  assert.deepEqual(host.run(["delete", "-f", "c1"]), { code: 0, out: "", err: "" });
});

test("delete: --force removes a directory without state.json", () => {
  const host = fakeHost();
  host.makeDirectory("/run/teu/c1");
  assert.equal(host.run(["delete", "--force", "c1"]).code, 0);
  assert.equal(host.exists("/run/teu/c1"), false);
});

test("delete: poststop hooks run once when another delete of the same container overtakes", () => {
  const host = fakeHost();
  host.configure((spec) => ({ ...spec, hooks: { poststop: [{ path: "/usr/bin/hook" }] } }));
  host.run(["create", "-b", "/bundle", "c1"]);
  host.run(["kill", "c1", "9"]);
  const spawned: string[] = [];
  let nested = false;
  const { kernel } = host;
  const spy: typeof kernel = {
    ...kernel,
    process: {
      ...kernel.process,
      spawn: (options) => {
        spawned.push(options.path);
        return kernel.process.spawn(options);
      },
    },
    fs: {
      ...kernel.fs,
      unlinkAt: (dirfd, path, flags) => {
        // Just before the first delete takes the record away, a second one runs from beginning to end.
        if (path === "state.json" && !nested) {
          nested = true;
          assert.equal(host.run(["delete", "c1"], spy).code, 0);
        }
        kernel.fs.unlinkAt(dirfd, path, flags);
      },
    },
  };
  assert.match(host.run(["delete", "c1"], spy).err, /container does not exist/);
  assert.deepEqual(spawned, ["/usr/bin/hook"]);
});

test("delete: a poststop hook that fails is only warned of, and the next one runs", () => {
  const host = fakeHost({ programs: new Map([["/usr/bin/failing-hook", 1]]) });
  host.configure((spec) => ({
    ...spec,
    hooks: { poststop: [{ path: "/usr/bin/failing-hook" }, { path: "/usr/bin/hook" }] },
  }));
  host.run(["create", "-b", "/bundle", "c1"]);
  const outcome = host.run(["delete", "c1"]);
  assert.equal(outcome.code, 0);
  assert.match(outcome.err, /level=warning .*poststop hook #0/);
});
