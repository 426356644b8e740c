// Attributes of a whole tree of mounts ("rro" and its kin) and propagation (runtime-spec, "Mounts", "Rootfs Mount Propagation").

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  type Bench,
  type RuntimeCase,
  addMount,
  expectEqual,
  expectMatch,
  expectOk,
  needs,
  withLinux,
} from "../case.ts";

/** A directory with another file system mounted below it. */
function tree(bench: Bench): string {
  const directory = join(bench.directory, "tree");
  mkdirSync(join(directory, "below"), { recursive: true });
  expectEqual(spawnSync("mount", ["-t", "tmpfs", "tmpfs", join(directory, "below")]).status, 0, "mount");
  bench.defer(() => void spawnSync("umount", [join(directory, "below")]));
  return directory;
}

/** Fields of /proc/self/mountinfo of both mounts inside: "attributes|optional fields". */
function inside(bench: Bench, options: readonly string[]): readonly string[] {
  const source = tree(bench);
  const show =
    'while read -r a b c d point attributes rest; do case $point in /t|/t/below) echo "$attributes|${rest%% - *}";; esac; done';
  const bundle = bench.script(`${show} < /proc/self/mountinfo`, (spec) =>
    addMount(spec, { destination: "/t", type: "bind", source, options: ["rbind", ...options] }),
  );
  return expectOk(bench.run(bundle)).out.split("\n");
}

const RECURSIVE: readonly (readonly [string, RegExp])[] = [
  ["rro", /^ro[,|]/],
  ["rnosuid", /[,]nosuid[,|]/],
  ["rnodev", /[,]nodev[,|]/],
  ["rnoexec", /[,]noexec[,|]/],
  ["rnoatime", /[,]noatime[,|]/],
  ["rnodiratime", /[,]nodiratime[,|]/],
  ["rrelatime", /[,]relatime[,|]/],
  ["rstrictatime", /^rw\|/],
  ["rnosymfollow", /[,]nosymfollow[,|]/],
];

const PROPAGATION: readonly (readonly [string, RegExp])[] = [
  ["private", /\|(- |$)/],
  ["slave", /\|(- |$)/],
  ["shared", /\|shared:\d+/],
  ["unbindable", /\|unbindable/],
];

export const cases: readonly RuntimeCase[] = [
  ...RECURSIVE.map(([option, pattern]): RuntimeCase => ({
    name: `mounts: ${option} holds for what is mounted below too`,
    run: (bench) => {
      needs(bench, option, ({ mountOptions }) => mountOptions?.includes(option) === true);
      const mounts = inside(bench, [option]);
      expectEqual(mounts.length, 2, "mounts");
      for (const mount of mounts) expectMatch(mount, pattern);
    },
  })),
  {
    name: "mounts: ro holds for one mount only",
    run: (bench) => {
      const [own, below] = inside(bench, ["ro"]);
      expectMatch(own ?? "", /^ro/);
      expectMatch(below ?? "", /^rw/);
    },
  },
  ...PROPAGATION.map(([option, pattern]): RuntimeCase => ({
    name: `mounts: r${option} propagation`,
    run: (bench) => {
      for (const mount of inside(bench, [`r${option}`])) expectMatch(mount, pattern);
    },
  })),
  ...PROPAGATION.map(([option, pattern]): RuntimeCase => ({
    name: `rootfsPropagation: ${option}`,
    run: (bench) => {
      const show =
        'while read -r a b c d point attributes rest; do if [ "$point" = / ]; then echo "$attributes|${rest%% - *}"; fi; done';
      const bundle = bench.script(`${show} < /proc/self/mountinfo`, (spec) =>
        withLinux(spec, { rootfsPropagation: option }),
      );
      expectMatch(expectOk(bench.run(bundle)).out.split("\n").at(-1) ?? "", pattern);
    },
  })),
  {
    name: "mounts: remount changes what the file system was told",
    run: (bench) => {
      const bundle = bench.script("mount | grep /dev/shm", (spec) =>
        addMount(spec, {
          destination: "/dev/shm",
          type: "tmpfs",
          source: "shm",
          options: ["remount", "nosuid", "size=1m"],
        }),
      );
      expectMatch(expectOk(bench.run(bundle)).out, /size=1024k/);
    },
  },
];
