// Networks of the engine: bridge, addresses, published ports, names. In a network namespace of the test's own, so that the host keeps its rules.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { test } from "node:test";

import { EngineHost, UNABLE } from "./engine-harness.ts";

const INSIDE = "TEU_TEST_NETNS";
const skip = UNABLE ?? (spawnSync("unshare", ["-n", "true"]).status === 0 ? undefined : "no network namespaces here");

if (process.env[INSIDE] === undefined) {
  test("networks, in a namespace of their own", { skip }, () => {
    const script = `ip link set lo up && ip link add out0 type veth peer name out1 && ip link set out1 up && ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up && ip route add default via 192.0.2.254 && exec "$0" --test-reporter=tap "$1"`;
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const done = spawnSync("unshare", ["-n", "sh", "-c", script, process.execPath, new URL(import.meta.url).pathname], {
      env: { ...env, [INSIDE]: "1" },
      encoding: "utf8",
      timeout: 100_000,
    });
    assert.equal(done.status, 0, `${done.stdout}${done.stderr}`);
  });
} else {
  inside();
}

function inside(): void {
  test("bridge: an address, a route, the own name, a way to the other container; given back at the end", async () => {
    await using host = await EngineHost.open();
    await host.busybox();
    const { containers, networks } = host.engine;
    const { scope } = host;
    const { id: server } = await containers.create(scope, {
      image: "busybox",
      network: "bridge",
      command: ["sh", "-c", "mkdir -p /www && echo served > /www/index.html && exec httpd -f -p 80 -h /www"],
      publish: [
        { containerPort: 80, hostIp: "127.0.0.1" },
        { containerPort: 80, hostPort: 18080 },
      ],
    });
    await containers.start(scope, server);
    const network = await networks.get(scope, "bridge");
    const address = network.addresses[server];
    assert.ok(address !== undefined);
    const client = await host.run({
      image: "busybox",
      network: "bridge",
      hostname: "me",
      command: [
        "sh",
        "-c",
        `ip -4 -o addr show eth0 | awk '{print $4}'; ip route; grep me /etc/hosts; for i in 1 2 3 4 5 6 7 8 9; do wget -qO- http://${address}/ && break; sleep 0.2; done; ping -c1 -W2 ${network.gateway} >/dev/null && echo gateway`,
      ],
    });
    assert.match(client.stdout, new RegExp(`^[\\d.]+/16\\ndefault via ${network.gateway} dev eth0 ?\\n`));
    assert.match(client.stdout, /\tme\n/);
    assert.match(client.stdout, /served\ngateway\n$/);
    const ports = (await containers.get(scope, server)).ports;
    assert.equal(ports.length, 2);
    for (const port of ports) {
      const answer = await (await fetch(`http://127.0.0.1:${port.hostPort}/`)).text();
      assert.equal(answer, "served\n", JSON.stringify(port));
    }
    assert.equal(await (await fetch("http://192.0.2.1:18080/")).text(), "served\n");
    const facts = await containers.inspect(scope, server);
    assert.deepEqual((facts.NetworkSettings["Ports"] as Record<string, unknown[]>)["80/tcp"]?.length, 2);
    // The same host port cannot be had twice; one of our choice can.
    const second = await containers.create(scope, {
      image: "busybox",
      network: "bridge",
      command: ["sleep", "9"],
      publish: [{ containerPort: 80, hostPort: 18080 }],
    });
    await assert.rejects(containers.start(scope, second.id), { code: "conflict" });
    assert.equal((await containers.get(scope, second.id)).status, "created");
    await containers.remove(scope, server, { force: true });
    await containers.start(scope, second.id);
    await containers.remove(scope, second.id, { force: true });
    await containers.remove(scope, client.id);
    assert.deepEqual((await networks.get(scope, "bridge")).addresses, {});
    assert.doesNotMatch(readFileSync("/proc/net/dev", "utf8"), /teu|veth/);
  });

  test("none and host: no way out, and the host's own", async () => {
    await using host = await EngineHost.open();
    await host.busybox();
    const none = await host.run({
      image: "busybox",
      network: "none",
      command: ["sh", "-c", "ip -o link | wc -l; ip route | wc -l"],
    });
    assert.equal(none.stdout, "1\n0\n");
    const shared = await host.run({
      image: "busybox",
      network: "host",
      command: ["sh", "-c", "ip -o link | grep -c '^[0-9]*: out0'; hostname"],
    });
    assert.equal(shared.stdout, `1\n${hostname()}\n`);
  });

  test("bridge: the subnet keeps out of the host's routes", async () => {
    spawnSync("ip", ["route", "add", "10.88.0.0/15", "dev", "out0"]);
    await using host = await EngineHost.open();
    assert.equal((await host.engine.networks.get(host.scope, "bridge")).subnet, "10.90.0.0/16");
    spawnSync("ip", ["route", "del", "10.88.0.0/15", "dev", "out0"]);
  });
}
