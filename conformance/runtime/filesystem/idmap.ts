// Idmapped mounts: files appear with the ids that the mapping says, in the mount or in all below it (runtime-spec, "Mounts").

import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IdMapping, Mount, Spec } from "@teu/specs/runtime";
import {
  type Bench,
  type RuntimeCase,
  addMount,
  expectEqual,
  expectFailure,
  expectMatch,
  expectOk,
  needs,
  withLinux,
} from "../case.ts";

const map = (containerID: number, hostID: number): readonly IdMapping[] => [{ containerID, hostID, size: 1000 }];
const USER = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const hasIdmap = (bench: Bench): void =>
  needs(bench, "idmapped mounts", ({ mountOptions }) => mountOptions?.includes("idmap") === true);

/** A directory with a file of 5:6, and another directory mounted below it with a file of 7:8. */
function data(bench: Bench): string {
  const directory = join(bench.directory, "data");
  mkdirSync(join(directory, "below"), { recursive: true });
  writeFileSync(join(directory, "f"), "");
  chownSync(join(directory, "f"), 5, 6);
  const other = join(bench.directory, "other");
  mkdirSync(other);
  writeFileSync(join(other, "g"), "");
  chownSync(join(other, "g"), 7, 8);
  spawnSync("mount", ["--bind", other, join(directory, "below")]);
  bench.defer(() => void spawnSync("umount", [join(directory, "below")]));
  return directory;
}

/** A container that shows owners below /data, which is mounted as told. */
function show(bench: Bench, mount: Partial<Mount>, change: (spec: Spec) => Spec = (spec) => spec): string {
  const source = data(bench);
  const bundle = bench.script("stat -c %u:%g /data/f /data/below/g", (spec) =>
    change(addMount(spec, { destination: "/data", type: "bind", source, ...mount })),
  );
  spawnSync("chmod", ["-R", "a+rwX", bench.directory]);
  spawnSync("chown", ["100000:100000", bundle.rootfs, join(bundle.rootfs, "dev"), join(bundle.rootfs, "proc")]);
  return expectOk(bench.run(bundle)).out;
}

const userNamespace = (spec: Spec): Spec =>
  withLinux(spec, {
    namespaces: [...(spec.linux?.namespaces ?? []), { type: "user" }],
    uidMappings: USER,
    gidMappings: USER,
  });

export const cases: readonly RuntimeCase[] = [
  {
    name: "idmap: the mount's own mappings, for this mount only",
    run: (bench) => {
      hasIdmap(bench);
      const out = show(bench, { options: ["rbind", "idmap"], uidMappings: map(0, 1000), gidMappings: map(0, 2000) });
      expectEqual(out.split("\n"), ["1005:2006", "7:8"]);
    },
  },
  {
    name: "ridmap: for all mounts below too",
    run: (bench) => {
      needs(bench, "ridmap", ({ mountOptions }) => mountOptions?.includes("ridmap") === true);
      const out = show(bench, { options: ["rbind", "ridmap"], uidMappings: map(0, 1000), gidMappings: map(0, 2000) });
      expectEqual(out.split("\n"), ["1005:2006", "1007:2008"]);
    },
  },
  {
    name: "idmap: without mappings those of the container's user namespace, so that owners stay",
    run: (bench) => {
      hasIdmap(bench);
      const out = show(bench, { options: ["rbind", "idmap"] }, userNamespace);
      expectMatch(out, /^5:6$/m);
    },
  },
  {
    name: "idmap: what the container writes has the mapped owner on disk",
    run: (bench) => {
      hasIdmap(bench);
      const source = data(bench);
      const bundle = bench.script("touch /data/new", (spec) =>
        addMount(spec, {
          destination: "/data",
          type: "bind",
          source,
          options: ["bind", "idmap"],
          uidMappings: map(3000, 0),
          gidMappings: map(3000, 0),
        }),
      );
      chownSync(source, 3000, 3000);
      expectOk(bench.run(bundle));
      const { uid, gid } = statSync(join(source, "new"));
      expectEqual([uid, gid], [3000, 3000]);
    },
  },
  {
    name: "idmap: error without mappings and without a user namespace",
    run: (bench) => {
      hasIdmap(bench);
      const source = data(bench);
      expectFailure(
        bench.run(
          bench.script("true", (spec) =>
            addMount(spec, { destination: "/data", type: "bind", source, options: ["bind", "idmap"] }),
          ),
        ),
      );
    },
  },
  {
    name: "idmap: error on a file system that takes no mapping",
    run: (bench) => {
      hasIdmap(bench);
      expectFailure(
        bench.run(
          bench.script("true", (spec) =>
            addMount(spec, {
              destination: "/data",
              type: "bind",
              source: "/proc",
              options: ["bind", "idmap"],
              uidMappings: map(0, 1000),
              gidMappings: map(0, 1000),
            }),
          ),
        ),
      );
    },
  },
];
