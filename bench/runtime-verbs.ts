// How long do the other verbs take beside crun and runc: `exec true`, `state`, and `create` + `start` + `delete`?
// Command: npm run bench -- runtime-verbs

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { compare, machineLine, printTable } from "./hyperfine.ts";
import { mountHugetlbForCrun, onlyInPrivateMounts } from "./private-mounts.ts";
import { makeBundle, onTmpfs, type Peer, peers } from "./runtime-bundle.ts";

onlyInPrivateMounts(import.meta.filename);
mountHugetlbForCrun();
onTmpfs((dir) => {
  const sleeping = makeBundle(dir, ["/bin/sleep", "600"]);
  const ending = makeBundle(dir, ["/bin/true"]);
  const base = ({ name, path }: Peer): string => `${path} --root ${join(dir, name)}`;
  const live = ({ name }: Peer): string => `bench-live-${name}`;
  console.log(machineLine());
  const started: Peer[] = [];
  try {
    for (const peer of peers()) {
      const argv = ["--root", join(dir, peer.name), "run", "--detach", "--bundle", sleeping, live(peer)];
      execFileSync(peer.path, argv, { stdio: "ignore" });
      started.push(peer);
    }
    const verb = (title: string, command: (peer: Peer) => string): void => {
      const contestants = peers().map((peer) => ({ name: peer.name, command: command(peer) }));
      printTable(title, compare(contestants, 15, 10), "crun");
    };
    verb("exec true", (peer) => `${base(peer)} exec ${live(peer)} /bin/true`);
    verb("state", (peer) => `${base(peer)} state ${live(peer)}`);
    verb("create, start, delete (and the shell that calls them)", (peer) => {
      const id = `bench-${peer.name}`;
      const steps = [`create --bundle ${ending} ${id}`, `start ${id}`, `delete --force ${id}`];
      return `sh -c '${steps.map((step) => `${base(peer)} ${step}`).join(" && ")}'`;
    });
  } finally {
    for (const peer of started) {
      execFileSync(peer.path, ["--root", join(dir, peer.name), "delete", "--force", live(peer)], { stdio: "ignore" });
    }
  }
});
