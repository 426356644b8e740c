// What does a push of an image of ten layers, 200 MB, cost a registry, and how long does skopeo take for it? Ours beside
// docker-registry, in turns; each push goes to a new repository. TMPDIR says where the data goes; tmpfs where /dev/shm is one.
// Needs root, skopeo and docker-registry.
// Command: npm run bench -- registry-push

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createScope } from "@teu/base/scope";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { exportLayout } from "@teu/image/layout/export-layout";
import { parseReference } from "@teu/image/reference";
import { noDockerRegistry } from "@teu/testkit/docker-registry";

import { machineLine, median } from "./hyperfine.ts";
import { onlyInPrivateMounts } from "./private-mounts.ts";
import { cost, ours, type Place, theirs } from "./registry-places.ts";
import { LAYERS, makeImage } from "./transfer-parts.ts";

const ROUNDS = 7;
/** Where skopeo remembers which repository has a blob: it would mount it from there instead of sending it. */
const MEMORY = "/var/lib/containers/cache";
const scope = createScope();

async function push({ host, pid }: Place, layout: string, round: number): Promise<{ cpu: number; wall: number }> {
  rmSync(join(MEMORY, "blob-info-cache-v1.boltdb"), { force: true });
  const argv = ["copy", "-q", "--dest-tls-verify=false", `oci:${layout}:v1`, `docker://${host}/push${round}/image:v1`];
  return await cost(pid, () => execFileSync("skopeo", argv, { stdio: ["ignore", "inherit", "inherit"] }));
}

async function main(): Promise<void> {
  onlyInPrivateMounts(import.meta.filename);
  mkdirSync(MEMORY, { recursive: true });
  // Ours alone, and gone with our mounts.
  execFileSync("mount", ["-t", "tmpfs", "none", MEMORY]);
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "teu-bench-"));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rmSync(directory, { recursive: true, force: true }));
  console.log(machineLine());
  const store = await DiskContentStore.open(join(directory, "store"));
  const layout = join(directory, "layout");
  const names = [parseReference("bench/image:v1")];
  await exportLayout(scope, store, [{ descriptor: await makeImage(store), names }], layout);
  const places = [opened.use(await ours(directory)), opened.use(await theirs(directory))];
  const samples = places.map((place) => ({ place, runs: [] as { cpu: number; wall: number }[] }));
  for (let round = 0; round < ROUNDS; round++)
    for (const { place, runs } of samples) runs.push(await push(place, layout, round));
  console.log(`push of ${LAYERS} layers by skopeo; ${ROUNDS} rounds`);
  const rows = samples.map(({ place, runs }) => {
    const walls = runs.map(({ wall }) => wall);
    const cpu = median(runs.map((run) => run.cpu));
    const seconds = { "median s": median(walls).toFixed(2), "best s": Math.min(...walls).toFixed(2) };
    return [place.name, { ...seconds, "server CPU s": cpu.toFixed(2) }];
  });
  console.table(Object.fromEntries(rows));
}

const missing = existsSync("/usr/bin/skopeo") ? noDockerRegistry() : "skopeo is not installed";
if (missing === false) await main();
else console.log(`registry-push: skipped, ${missing}`);
