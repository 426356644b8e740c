import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../testing/fake-host.ts";

test("NOTIFY_SOCKET: the container has a directory of its own for it, read-only, and the name in its environment", () => {
  const host = fakeHost({ env: ["NOTIFY_SOCKET=/run/systemd/notify"] });
  assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 0);
  assert.ok(host.exists("/run/teu/c1/notify"));
  assert.ok(host.exists("/bundle/rootfs/run/notify"));
});

test("NOTIFY_SOCKET: start ends with the container when that never tells that it is ready", () => {
  const host = fakeHost({ env: ["NOTIFY_SOCKET=/run/systemd/notify"] });
  host.configure((spec) => ({ ...spec, process: { ...spec.process, cwd: "/", args: ["/bin/true"] } }));
  host.run(["create", "-b", "/bundle", "c1"]);
  assert.deepEqual(host.run(["start", "c1"]), { code: 0, out: "", err: "" });
});

test("NOTIFY_SOCKET: start of a container that was created without is no different", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  const environ = (): string[] => ["NOTIFY_SOCKET=/run/systemd/notify"];
  const { kernel } = host;
  assert.equal(host.run(["start", "c1"], { ...kernel, process: { ...kernel.process, environ } }).code, 0);
});
