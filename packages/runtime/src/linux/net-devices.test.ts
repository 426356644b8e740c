import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeLink, addLink } from "@teu/sys/fake/route";
import type { Spec } from "@teu/specs/runtime";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";
import { planNamespaces } from "./namespaces.ts";
import { planNetDevices } from "./net-devices.ts";

function plan(netDevices: NonNullable<Spec["linux"]>["netDevices"], network = true) {
  const namespaces = [{ type: "mount" } as const, ...(network ? [{ type: "network" } as const] : [])];
  const spec: Spec = {
    ociVersion: "1.3.0",
    linux: { namespaces, ...(netDevices === undefined ? {} : { netDevices }) },
  };
  return planNetDevices(spec, planNamespaces(spec));
}

test("planNetDevices: the name inside is the host's unless another is given", () =>
  assert.deepEqual(plan({ eth1: {}, eth2: { name: "lan" }, eth3: { name: "" } }), [
    { host: "eth1", inside: "eth1" },
    { host: "eth2", inside: "lan" },
    { host: "eth3", inside: "eth3" },
  ]));

test("planNetDevices: invalid without a network namespace", () =>
  assert.throws(() => plan({ eth1: {} }, false), { code: "invalid", subject: "linux.netDevices.eth1" }));

test("planNetDevices: invalid when two would have the same name", () =>
  assert.throws(() => plan({ eth1: { name: "a" }, eth2: { name: "a" } }), { code: "invalid" }));

for (const name of [".", "..", "a/b", "a b", "a:b", "eth%d", "sixteen-letters-"])
  test(`planNetDevices: invalid for the name ${JSON.stringify(name)}`, () => {
    assert.throws(() => plan({ [name]: {} }), { code: "invalid" });
    assert.throws(() => plan({ eth1: { name } }), { code: "invalid" });
  });

function hostWithDevice() {
  const host = fakeHost();
  addLink(host.world, "eth1", 7, ["10.0.0.2/24"], false);
  addLink(host.world, "other", 8, [], true);
  host.configure((spec) => ({ ...spec, linux: { ...spec.linux, netDevices: { eth1: { name: "lan" } } } }));
  return host;
}

const isHome = ({ world }: FakeHost, link: FakeLink | undefined): boolean =>
  link?.namespace === (world.self.namespaces["net"] ?? 0);

test("netDevices: moved, named, up, with its address", () => {
  const host = hostWithDevice();
  assert.equal(host.run(["run", "-d", "-b", "/bundle", "c1"]).code, 0);
  const [device, other] = host.world.links;
  assert.deepEqual([device?.name, device?.up, isHome(host, device)], ["lan", true, false]);
  assert.deepEqual(device?.addresses[0]?.slice(0, 4), new Uint8Array([2, 24, 0, 0]));
  assert.deepEqual([other?.name, isHome(host, other)], ["other", true]);
});

for (const [call, nth] of [
  ["mount.pivotRoot", 1],
  ["process.execveat", 1],
  ["socket.send", 6],
] as const)
  test(`netDevices: given back as they were when ${call} ${nth} fails`, () => {
    const host = hostWithDevice();
    host.failOn(call, nth, "EPERM");
    assert.equal(host.run(["run", "-d", "-b", "/bundle", "c1"]).code, 1);
    const [device] = host.world.links;
    assert.deepEqual([device?.name, isHome(host, device), device?.up], ["eth1", true, false]);
    assert.equal(device?.addresses.length, 1);
    assert.equal(host.exists("/run/teu/c1"), false);
  });

test("netDevices: an error, and nothing is moved, when a device is not there", () => {
  const host = hostWithDevice();
  host.configure((spec) => ({ ...spec, linux: { ...spec.linux, netDevices: { eth1: {}, eth9: {} } } }));
  const outcome = host.run(["create", "-b", "/bundle", "c1"]);
  assert.match(outcome.err, /eth9.*there is no such device/);
  assert.ok(isHome(host, host.world.links[0]));
});
