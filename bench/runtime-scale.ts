// Does a start cost more when many containers exist, or many mounts? `run true` beside 1, 100 and 1,000 containers and with 1,000 more
// mounts, and `list` and `ps` with 1,000 containers, beside crun and runc. `unshare` shows what a new mount namespace costs the kernel
// alone: it copies every mount of the host.
// Command: npm run bench -- runtime-scale

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Contestant, type Measurement, compare, machineLine, printTable } from "./hyperfine.ts";
import { mountHugetlbForCrun, onlyInPrivateMounts } from "./private-mounts.ts";
import { type Peer, makeBundle, onTmpfs, peers } from "./runtime-bundle.ts";

const STEPS = [1, 100, 1000];
const MOUNTS = 1000;

/** Containers `from` to `to` of a peer, asleep; two at a time. The name is in the ids: some peers call the cgroup by the id alone. */
function populate({ name, path }: Peer, root: string, bundle: string, from: number, to: number): void {
  const ids = Array.from({ length: to - from }, (_, index) => `scale-${name}-${from + index}`).join("\n");
  const command = `${path} --root ${root} run --detach --bundle ${bundle} "$1" </dev/null >/dev/null 2>&1`;
  execFileSync("xargs", ["-P2", "-n1", "sh", "-c", command, "sh"], { input: ids });
}

function depopulate({ name, path }: Peer, root: string, count: number): void {
  const ids = Array.from({ length: count }, (_, index) => `scale-${name}-${index}`).join("\n");
  spawnSync("xargs", ["-P2", "-n1", path, "--root", root, "delete", "--force"], { input: ids });
}

onlyInPrivateMounts(import.meta.filename);
mountHugetlbForCrun();
onTmpfs((dir) => {
  const bundle = makeBundle(dir, ["/bin/true"]);
  const sleeper = makeBundle(dir, ["/bin/sleep", "3600"]);
  const rootOf = (name: string): string => join(dir, name);
  const contestants = (words: (name: string) => string): Contestant[] =>
    peers().map(({ name, path }) => ({ name, command: `${path} --root ${rootOf(name)} ${words(name)}` }));
  const kernel = { name: "unshare --mount true", command: "unshare --mount --propagation unchanged /bin/busybox true" };
  const run = (): Measurement[] =>
    compare([...contestants((name) => `run --bundle ${bundle} bench-${name}`), kernel], 10, 5);
  console.log(machineLine());
  let made = 0;
  try {
    for (const step of STEPS) {
      for (const peer of peers()) populate(peer, rootOf(peer.name), sleeper, made, step);
      made = step;
      printTable(`run true, ${step} containers exist`, run(), "crun");
    }
    const listed = compare(
      contestants(() => "list"),
      5,
      3,
    );
    printTable(`list, ${made} containers`, listed, "crun");
    for (const format of ["json", "table"]) {
      const processes = contestants((name) => `ps --format ${format} scale-${name}-0`);
      printTable(`ps --format ${format} of one of ${made} containers`, compare(processes, 10, 3), "crun");
    }
  } finally {
    for (const peer of peers()) depopulate(peer, rootOf(peer.name), made);
  }
  for (let index = 0; index < MOUNTS; index++) {
    const target = join(dir, "mounts", String(index));
    mkdirSync(target, { recursive: true });
    execFileSync("mount", ["--bind", target, target]);
  }
  printTable(`run true, ${MOUNTS} more mounts on the host`, run(), "crun");
});
