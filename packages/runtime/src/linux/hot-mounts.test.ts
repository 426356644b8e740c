import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";

function running(list: unknown): FakeHost {
  const host = fakeHost();
  host.makeDirectory("/srv/data");
  host.makeDirectory("/bundle/rootfs/data");
  host.writeFile("/srv/data/file", "x");
  host.writeFile("/mounts.json", JSON.stringify(list));
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  return host;
}

/** Is it there for the container's first process? */
function sees(host: FakeHost, path: string): boolean {
  const init = [...host.world.processes.values()].find((one) => one.program !== null);
  const before = host.kernel.simulation?.enter(init?.pid ?? 0) ?? 0;
  const found = host.kernel.fs.accessAt(-100, path, 0);
  host.kernel.simulation?.enter(before);
  return found;
}

const BIND = { destination: "/data", type: "bind", source: "/srv/data", options: ["bind", "ro"] };

test("mounts add: a bind from the host is in the container; mounts remove takes it away", () => {
  const host = running([BIND]);
  assert.equal(sees(host, "/data/file"), false);
  assert.deepEqual(host.run(["mounts", "add", "c1", "/mounts.json"]), { code: 0, out: "", err: "" });
  assert.equal(sees(host, "/data/file"), true);
  host.writeFile("/mounts.json", JSON.stringify([{ destination: "/data/" }]));
  assert.deepEqual(host.run(["mounts", "remove", "c1", "mounts.json"]), { code: 0, out: "", err: "" });
  assert.equal(sees(host, "/data/file"), false);
});

const REFUSED: readonly (readonly [string, readonly string[], unknown, RegExp])[] = [
  ["an unknown action", ["move", "c1", "/mounts.json"], [], /unknown action "move"/],
  ["no container", ["add", "c2", "/mounts.json"], [], /container does not exist/],
  ["no list", ["add", "c1", "/mounts.json"], { a: 1 }, /want a JSON list/],
  [
    "a mount without destination",
    ["add", "c1", "/mounts.json"],
    [{ type: "tmpfs" }],
    /mounts.0 must have "destination"/,
  ],
  [
    "a procfs",
    ["add", "c1", "/mounts.json"],
    [{ destination: "/p", type: "proc" }],
    /only be made when a container starts/,
  ],
  ["over /proc", ["add", "c1", "/mounts.json"], [{ ...BIND, destination: "/proc/self" }], /inside \/proc/],
  ["what is not mounted", ["remove", "c1", "/mounts.json"], [{ destination: "/bin" }], /nothing is mounted there/],
  ["the root", ["remove", "c1", "/mounts.json"], [{ destination: "/" }], /nothing is mounted there/],
];
for (const [name, words, list, text] of REFUSED) {
  test(`mounts: refused for ${name}, and the container goes on`, () => {
    const host = running(list);
    const outcome = host.run(["mounts", ...words]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err.replaceAll('\\"', '"'), text);
    assert.equal(host.status("c1"), "running");
  });
}

test("mounts: conflict when the container is stopped", () => {
  const host = running([BIND]);
  host.run(["kill", "c1", "KILL"]);
  assert.match(host.run(["mounts", "add", "c1", "/mounts.json"]).err, /container not running/);
});
