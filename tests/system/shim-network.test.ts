// The shim's networks, in a network namespace of their own: none, host, bridge; published ports; isolation; sharing; undoing.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { NetworkConfig, PortMapping, ShimConfig } from "@teu/shim/protocol";
import { Host, sleep, UNABLE } from "./shim-harness.ts";
import type { ShimContainer } from "./shim-harness.ts";

const skip = UNABLE ?? false;
const host = skip === false ? new Host() : undefined;
const the = (): Host => host as Host;
const BRIDGE = `teut${Math.floor(Math.random() * 1e6)}`;
let octet = 2;

// The "outside": a second namespace, joined to the host's by a veth pair, 192.0.2.1 (host) and 192.0.2.2.
let outside: ReturnType<typeof spawn> | undefined;
// Servers outside of containers, ended with the tests.
const services: ReturnType<typeof spawn>[] = [];

before(async () => {
  if (host === undefined) return;
  host.isolateNetwork();
  outside = spawn("unshare", ["-n", "sleep", "1000"], { stdio: "ignore" });
  await sleep(200);
  const commands = [
    `ip link add out0 type veth peer name out1 netns /proc/${outside.pid}/ns/net`,
    "ip addr add 192.0.2.1/24 dev out0",
    "ip link set out0 up",
    `nsenter --net=/proc/${outside.pid}/ns/net sh -c 'ip link set lo up; ip addr add 192.0.2.2/24 dev out1; ip link set out1 up; ip route add 10.99.0.0/16 via 192.0.2.1'`,
  ];
  for (const command of commands) assert.equal(host.inNetwork("sh", ["-c", command]).output, "");
});
after(() => {
  const left = host?.leftovers() ?? [];
  for (const service of services) service.kill("SIGKILL");
  outside?.kill("SIGKILL");
  host?.[Symbol.dispose]();
  assert.deepEqual(left, []);
});

function bridge(ports: readonly PortMapping[] = []): Extract<NetworkConfig, { mode: "bridge" }> {
  const last = octet++;
  return {
    mode: "bridge",
    bridge: BRIDGE,
    gateway: "10.99.0.1/16",
    address: `10.99.0.${last}/16`,
    mac: `02:42:0a:63:00:${last.toString(16).padStart(2, "0")}`,
    interfaceName: "eth0",
    ports,
  };
}

function port(hostIp: string, hostPort: number, containerPort = 80, protocol: "tcp" | "udp" = "tcp"): PortMapping {
  return { hostIp, hostPort, containerPort, protocol };
}

function fromOutside(command: string): string {
  return the()
    .inNetwork("nsenter", [`--net=/proc/${outside?.pid}/ns/net`, "timeout", "2", "sh", "-c", command])
    .output.trim();
}

const fromHost = (command: string): string => the().inNetwork("timeout", ["2", "sh", "-c", command]).output.trim();

async function started(
  network: NetworkConfig,
  args: readonly string[],
  more: Partial<ShimConfig> = {},
): Promise<ShimContainer> {
  const container = await the()
    .container({ args, shim: { network, ...more } })
    .created();
  const answer = await container.ask({ op: "start" });
  assert.ok(answer.ok, JSON.stringify(answer));
  return container;
}

async function kill(...containers: readonly ShimContainer[]): Promise<void> {
  await Promise.all(containers.map((container) => container.ask({ op: "signal", signal: 9 })));
  await Promise.all(containers.map((container) => container.gone()));
}

// A server that answers every connection with `text`.
const serve = (text: string, at = 80): string[] => ["sh", "-c", `echo ready; exec nc -ll -p ${at} -e echo ${text}`];

async function ready(...containers: readonly ShimContainer[]): Promise<void> {
  for (const container of containers)
    for (let i = 0; i < 200 && !container.logText().includes("ready"); i++) await sleep(10);
  await sleep(50);
}

async function eventually(probe: () => string, want: string): Promise<void> {
  let got = "";
  for (let i = 0; i < 20; i++) {
    got = probe();
    if (got === want) return;
    await sleep(100);
  }
  assert.equal(got, want);
}

const ask = (address: string, at: number): string => `busybox nc -w 1 ${address} ${at} </dev/null`;
const links = (): string => the().inNetwork("ip", ["-o", "link"]).output;
const rules = (): string => the().inNetwork("nft", ["list", "ruleset"]).output;

test("network none: only lo, and it is up", { skip }, async () => {
  const container = await the()
    .container({ args: ["ip", "-o", "addr"], shim: { network: { mode: "none" } } })
    .created();
  await container.run();
  await container.gone();
  assert.match(container.logText(), /lo +inet 127\.0\.0\.1\/8/);
  assert.doesNotMatch(container.logText(), /eth0/);
});

test("network host: the host's interfaces", { skip }, async () => {
  const container = await the()
    .container({ args: ["ip", "-o", "link"], shim: { network: { mode: "host" } } })
    .created();
  await container.run();
  await container.gone();
  assert.match(container.logText(), /out0/);
});

test("network bridge: address, route, hardware address; bridge and table made and removed", { skip }, async () => {
  const network = bridge();
  const container = await the()
    .container({ args: ["sh", "-c", "ip -o addr; ip route; ip link show eth0"], shim: { network } })
    .created();
  assert.match(links(), new RegExp(`${BRIDGE}:.*\\bUP\\b`));
  assert.match(rules(), new RegExp(`table ip teu_${BRIDGE}`));
  const exit = await container.run();
  await container.gone();
  const text = container.logText();
  assert.equal(exit.code, 0, text + container.logText("stderr"));
  assert.ok(text.includes(`inet ${network.address} brd 10.99.255.255`), text);
  assert.ok(text.includes("default via 10.99.0.1 dev eth0"), text);
  assert.ok(text.includes(network.mac), text);
  assert.match(text, /lo +inet 127\.0\.0\.1/);
  assert.ok(!links().includes(BRIDGE));
  assert.ok(!rules().includes(`teu_${BRIDGE}`));
});

test("network bridge: the outside is reached from the host's address", { skip }, async () => {
  services.push(
    spawn("nsenter", [
      `--net=/proc/${outside?.pid}/ns/net`,
      "busybox",
      "nc",
      "-ll",
      "-p",
      "7000",
      "-e",
      "cat",
      "/proc/net/tcp6",
    ]),
  );
  await sleep(200);
  const container = await started(bridge(), ["nc", "-w", "2", "192.0.2.2", "7000"]);
  await container.gone();
  // What the other end sees: a connection to 192.0.2.2:7000 (1B58) from 192.0.2.1.
  assert.match(container.logText(), /FFFF0000020200C0:1B58 0000000000000000FFFF0000010200C0:/);
});

test(
  "published ports: from outside, from the host, from 127.0.0.1, from itself and a neighbour; not what is not published",
  { skip },
  async () => {
    const network = bridge([port("0.0.0.0", 8080), port("127.0.0.1", 8081)]);
    const server = await started(network, serve("hello"));
    const neighbour = await started(bridge(), ["sleep", "100"]);
    await ready(server);
    const address = network.address.split("/")[0] ?? "";
    const inside = async (container: ShimContainer, command: string): Promise<string> => {
      const process = { args: ["sh", "-c", command], env: ["PATH=/bin"], cwd: "/", user: { uid: 0, gid: 0 } };
      const session = await container.stream({
        op: "exec",
        process,
        stdin: false,
        stdout: true,
        stderr: true,
        detach: false,
      });
      await session.end();
      return (session.stdout + session.stderr).trim();
    };
    await eventually(() => fromOutside(ask("192.0.2.1", 8080)), "hello");
    await eventually(() => fromHost(ask("192.0.2.1", 8080)), "hello");
    await eventually(() => fromHost(ask("127.0.0.1", 8080)), "hello");
    await eventually(() => fromHost(ask("127.0.0.1", 8081)), "hello");
    await eventually(() => fromHost(ask(address, 80)), "hello");
    assert.equal(await inside(neighbour, "nc -w 1 10.99.0.1 8080 </dev/null"), "hello");
    assert.equal(await inside(neighbour, `nc -w 1 ${address} 80 </dev/null`), "hello");
    assert.equal(await inside(server, "nc -w 1 192.0.2.1 8080 </dev/null"), "hello");
    assert.notEqual(fromOutside(ask("192.0.2.1", 8081)), "hello");
    assert.notEqual(fromOutside(ask(address, 80)), "hello");
    await kill(server, neighbour);
  },
);

test("published ports: udp", { skip }, async () => {
  const container = await started(bridge([port("0.0.0.0", 5353, 53, "udp")]), ["sleep", "100"]);
  const state = await container.ask({ op: "state" });
  const pid = state.ok ? (state.state?.pid ?? 0) : 0;
  const echo = `const s = require("node:dgram").createSocket("udp4"); s.on("message", (m, from) => s.send("got " + m, from.port, from.address)); s.bind(53, () => console.log("ready"));`;
  const server = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", echo], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  services.push(server);
  await new Promise((resolve) => server.stdout?.once("data", resolve));
  const ask = `const s = require("node:dgram").createSocket("udp4"); s.on("message", (m) => { console.log(String(m)); s.close(); }); s.send("datagram", 5353, "192.0.2.1"); setTimeout(() => process.exit(1), 1500);`;
  assert.equal(
    the().inNetwork("nsenter", [`--net=/proc/${outside?.pid}/ns/net`, process.execPath, "-e", ask]).output,
    "got datagram\n",
  );
  server.kill("SIGKILL");
  await kill(container);
});

test(
  "CVE-2020-8558: a container with NET_ADMIN does not reach the host's 127.0.0.1; without the rule it would",
  { skip },
  async () => {
    services.push(
      spawn("nsenter", [`--net=${the().networkPath}`, "busybox", "nc", "-ll", "-p", "9000", "-e", "echo", "secret"]),
    );
    await sleep(200);
    assert.equal(fromHost(ask("127.0.0.1", 9000)), "secret");
    const container = await started(bridge([port("0.0.0.0", 8082)]), ["sleep", "100"]);
    const state = await container.ask({ op: "state" });
    const pid = state.ok ? (state.state?.pid ?? 0) : 0;
    const inside = (command: string): string =>
      the().inNetwork("nsenter", [`--net=/proc/${pid}/ns/net`, "timeout", "3", "sh", "-c", command]).output;
    assert.equal(
      inside(
        "ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via 10.99.0.1 && sysctl -qw net.ipv4.conf.all.route_localnet=1",
      ),
      "",
    );
    assert.doesNotMatch(inside(ask("127.0.0.1", 9000)), /secret/);
    the().inNetwork("nft", ["flush", "chain", "ip", `teu_${BRIDGE}`, "local"]);
    assert.match(inside(ask("127.0.0.1", 9000)), /secret/);
    await kill(container);
  },
);

test(
  "port conflicts: with another container and with another program, said as Docker says it, everything undone",
  { skip },
  async () => {
    const first = await started(bridge([port("0.0.0.0", 8090)]), ["sleep", "100"]);
    const before = links() + rules();
    for (const taken of [port("0.0.0.0", 8090), port("127.0.0.1", 8090)]) {
      const second = the().container({ args: ["true"], shim: { network: bridge([port("0.0.0.0", 8091), taken]) } });
      const report = await second.create();
      assert.ok(!report.ok);
      assert.match((report.error as { message: string }).message, /port is already allocated/);
      assert.equal((report.error as { code: string }).code, "conflict");
      await second.settled();
    }
    assert.equal(links() + rules(), before);
    assert.notEqual(the().inNetwork("timeout", ["1", "busybox", "nc", "-l", "-p", "8090"]).status, 0);
    await kill(first);
    const again = await started(bridge([port("0.0.0.0", 8090)]), ["true"]);
    await again.gone();
  },
);

test("many at once: a bridge for all of them, gone after the last", { skip }, async () => {
  const containers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => started(bridge([port("0.0.0.0", 8100 + i)]), ["sleep", "100"])),
  );
  assert.equal(links().match(/veth[0-9a-f]{11}/g)?.length, 10);
  assert.equal(rules().match(/tcp \. 81\d\d :/g)?.length, 10);
  await kill(...containers.slice(0, 9));
  assert.ok(links().includes(BRIDGE));
  assert.equal(rules().match(/tcp \. 81\d\d :/g)?.length, 1);
  await kill(...containers.slice(9));
  assert.ok(!links().includes(BRIDGE));
  for (const container of containers) assert.equal(container.shimLog(), "");
});

test("a bridge that somebody else made is used and left", { skip }, async () => {
  the().inNetwork("ip", ["link", "add", BRIDGE, "type", "bridge"]);
  const container = await started(bridge(), ["true"]);
  await container.gone();
  assert.ok(links().includes(BRIDGE));
  the().inNetwork("ip", ["link", "del", BRIDGE]);
});

test(
  "an interface of the bridge's name that is no bridge is a conflict, and everything is undone",
  { skip },
  async () => {
    the().inNetwork("ip", ["link", "add", BRIDGE, "type", "veth", "peer", "name", "other0"]);
    const container = the().container({ args: ["true"], shim: { network: bridge() } });
    const report = await container.create();
    assert.equal(!report.ok && (report.error as { code: string }).code, "conflict");
    await container.settled();
    the().inNetwork("ip", ["link", "del", BRIDGE]);
    assert.ok(!rules().includes(`teu_${BRIDGE}`));
  },
);

test("a flushed ruleset and a deleted bridge do not keep a container from ending cleanly", { skip }, async () => {
  const container = await started(bridge([port("0.0.0.0", 8095)]), ["sleep", "100"]);
  the().inNetwork("nft", ["flush", "ruleset"]);
  the().inNetwork("ip", ["link", "del", BRIDGE]);
  const next = await started(bridge([port("0.0.0.0", 8096)]), ["sleep", "100"]);
  await kill(container, next);
  assert.equal(container.shimLog() + next.shimLog(), "");
});

test(
  "bridge mode without a network namespace in config.json is refused: eth0 would land on the host",
  { skip },
  async () => {
    const container = the().container({
      args: ["true"],
      shim: { network: bridge() },
      spec: (spec) =>
        void (spec.linux.namespaces = spec.linux.namespaces.filter((namespace) => namespace.type !== "network")),
    });
    const report = await container.create();
    assert.match(JSON.stringify(report), /no network namespace/);
    await container.settled();
    assert.doesNotMatch(links(), / eth0[:@]/);
  },
);

test("a killed shim's network is removed by --cleanup", { skip }, async () => {
  const container = await started(bridge([port("0.0.0.0", 8097)]), ["sleep", "100"]);
  process.kill(container.shimPid, "SIGKILL");
  await container.gone();
  assert.ok(links().includes(BRIDGE));
  assert.equal(the().cleanUp(container).output, "");
  assert.ok(!links().includes(BRIDGE));
  assert.ok(!rules().includes(`teu_${BRIDGE}`));
  assert.equal(container.exitFile().code, 137);
});

test("the host's own network was never touched", { skip }, () => {
  assert.ok(!spawnSync("ip", ["-o", "link"], { encoding: "utf8" }).stdout.includes(BRIDGE));
  assert.ok(!spawnSync("nft", ["list", "tables"], { encoding: "utf8" }).stdout.includes(BRIDGE));
  assert.ok(!readFileSync("/proc/self/mounts", "utf8").includes(the().dir));
});
