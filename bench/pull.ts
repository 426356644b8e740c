// How long does it take to pull an image of ten layers, 200 MB, to layers that a container can start on, beside podman and ctr?
// From our registry and from docker-registry, over loopback, everything in one directory. How much memory does the puller hold?
// Needs root, podman, containerd and docker-registry; what is missing is left out. TMPDIR says where the data goes.
// Command: npm run bench -- pull

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { createScope } from "@teu/base/scope";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { parseReference } from "@teu/image/reference";
import type { Descriptor } from "@teu/specs/image";
import { noDockerRegistry } from "@teu/testkit/docker-registry";

import { compare, type Contestant, machineLine, printTable } from "./hyperfine.ts";
import { onlyInPrivateMounts } from "./private-mounts.ts";
import { ended, ours, type Place, TEU, theirs } from "./registry-places.ts";
import { LAYERS, makeImage } from "./transfer-parts.ts";

const ROUNDS = 5;
const scope = createScope();

function teu(directory: string, name: string): Contestant {
  const global = `${TEU} --root ${join(directory, "teu")} --runroot ${join(directory, "teu-run")}`;
  return { name: "teu pull", command: `${global} pull --quiet ${name}`, prepare: `rm -rf ${join(directory, "teu")}` };
}

function podman(directory: string, name: string): Contestant[] {
  if (!existsSync("/usr/bin/podman")) return [];
  const root = `--root ${join(directory, "p")} --runroot ${join(directory, "pr")} --storage-driver overlay`;
  return [
    {
      name: "podman pull",
      command: `podman ${root} pull --quiet --tls-verify=false ${name}`,
      prepare: `podman ${root} rmi --all --force`,
    },
  ];
}

/** A containerd of its own, and its client. */
async function containerd(directory: string): Promise<{ ctr: string } & AsyncDisposable> {
  const config = join(directory, "containerd.toml");
  const socket = join(directory, "c.sock");
  writeFileSync(
    config,
    `version = 2\nroot = "${join(directory, "c")}"\nstate = "${join(directory, "cr")}"\n` +
      `disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]\n` +
      `[grpc]\naddress = "${socket}"\n[ttrpc]\naddress = "${socket}.ttrpc"\n`,
  );
  const child = spawn("containerd", ["--config", config, "--log-level", "error"], { stdio: "ignore" });
  for (let tries = 0; !existsSync(socket) && tries < 400 && child.exitCode === null; tries++) await sleep(25);
  return { ctr: `ctr --address ${socket}`, [Symbol.asyncDispose]: () => ended(child) };
}

/** The highest resident memory of one run. Megabytes. */
async function memory(contestant: Contestant): Promise<number> {
  execFileSync("sh", ["-c", contestant.prepare ?? "true"]);
  const [program = "", ...args] = contestant.command.split(" ");
  const child = spawn(program, args, { stdio: "ignore" });
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    peak = Math.max(peak, highWater(child.pid ?? 0));
    await sleep(10);
  }
  return peak;
}

function highWater(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  } catch {
    // It ended while we looked.
    return 0;
  }
}

/** podman leaves its storage mounted on itself inside our mount namespace. */
function unmountBelow(directory: string): void {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const points = mounts.map((line) => line.split(" ")[4] ?? "").filter((point) => point.startsWith(`${directory}/`));
  for (const point of points.reverse()) execFileSync("umount", ["--lazy", point]);
}

async function measure(
  directory: string,
  place: Place,
  store: DiskContentStore,
  image: Descriptor,
  ctr: string | null,
): Promise<void> {
  const name = `${place.host}/bench/image:v1`;
  {
    await using client = new RegistryClient({ plainHttp: () => true });
    await pushImage(scope, { client, reference: parseReference(name), store, descriptor: image });
  }
  const own = teu(directory, name);
  const contestants = [own, ...podman(directory, name)];
  if (ctr !== null)
    contestants.push({
      name: "ctr images pull",
      command: `${ctr} images pull --plain-http --snapshotter overlayfs ${name}`,
      // All names: content that another one holds would not be downloaded.
      prepare: `sh -c '${ctr} images rm --sync $(${ctr} images list --quiet)'`,
    });
  printTable(`pull of ${LAYERS} layers from ${place.name}`, compare(contestants, 1, ROUNDS, 0), own.name);
  console.log(`\nteu pull held at most ${await memory(own)} MB`);
}

async function main(): Promise<void> {
  onlyInPrivateMounts(import.meta.filename);
  const directory = mkdtempSync(join(tmpdir(), "teub-"));
  try {
    console.log(machineLine());
    const store = await DiskContentStore.open(join(directory, "store"));
    const image = await makeImage(store);
    const places: ((directory: string) => Promise<Place>)[] = [ours];
    if (noDockerRegistry() === false) places.push(theirs);
    const peer = existsSync("/usr/bin/containerd") ? await containerd(directory) : null;
    try {
      for (const open of places) {
        await using place = await open(directory);
        await measure(directory, place, store, image, peer?.ctr ?? null);
      }
    } finally {
      await peer?.[Symbol.asyncDispose]();
    }
  } finally {
    unmountBelow(directory);
    rmSync(directory, { recursive: true, force: true });
  }
  console.log("\nrepeat: npm run bench -- pull");
}

await main();
