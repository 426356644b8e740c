// Symbolic links as sources and destinations of bind mounts: crun's options copy-symlink, src-nofollow, dest-nofollow.

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, type RuntimeCase, addMount, expectEqual, expectFailure, expectOk, needs } from "../case.ts";

const has = (bench: Bench, option: string): void =>
  needs(bench, option, ({ mountOptions }) => mountOptions?.includes(option) === true);

/** A file "goal" and a link to it, outside of the bundle. */
function link(bench: Bench): string {
  const directory = join(bench.directory, "links");
  mkdirSync(directory);
  writeFileSync(join(directory, "goal"), "outside");
  symlinkSync("goal", join(directory, "link"));
  return join(directory, "link");
}

export const cases: readonly RuntimeCase[] = [
  {
    name: "copy-symlink: the link is made again at the destination, and read inside",
    run: (bench) => {
      has(bench, "copy-symlink");
      const source = link(bench);
      const bundle = bench.script("echo inside > /tmp/goal; readlink /tmp/link; cat /tmp/link", (spec) =>
        addMount(spec, { destination: "/tmp/link", type: "bind", source, options: ["bind", "copy-symlink"] }),
      );
      expectEqual(expectOk(bench.run(bundle)).out.split("\n"), ["goal", "inside"]);
    },
  },
  {
    name: "copy-symlink: a source that is no link is mounted",
    run: (bench) => {
      has(bench, "copy-symlink");
      const source = join(link(bench), "../goal");
      const bundle = bench.script("cat /tmp/f", (spec) =>
        addMount(spec, { destination: "/tmp/f", type: "bind", source, options: ["bind", "copy-symlink"] }),
      );
      expectEqual(expectOk(bench.run(bundle)).out, "outside");
    },
  },
  {
    name: "copy-symlink: error when something else is there",
    run: (bench) => {
      has(bench, "copy-symlink");
      const source = link(bench);
      const bundle = bench.script("true", (spec) =>
        addMount(spec, { destination: "/tmp/link", type: "bind", source, options: ["bind", "copy-symlink"] }),
      );
      writeFileSync(join(bundle.rootfs, "tmp/link"), "a file");
      expectFailure(bench.run(bundle));
    },
  },
  {
    name: "src-nofollow: the link itself is mounted",
    run: (bench) => {
      has(bench, "src-nofollow");
      const source = link(bench);
      const bundle = bench.script("readlink /tmp/m", (spec) =>
        addMount(spec, { destination: "/tmp/m", type: "bind", source, options: ["bind", "src-nofollow"] }),
      );
      expectEqual(expectOk(bench.run(bundle)).out, "goal");
    },
  },
  {
    name: "dest-nofollow: mounted over the link, not over what it leads to",
    run: (bench) => {
      has(bench, "dest-nofollow");
      const source = join(link(bench), "../goal");
      const bundle = bench.script("cat /tmp/m; echo; cat /tmp/target", (spec) =>
        addMount(spec, { destination: "/tmp/m", type: "bind", source, options: ["bind", "dest-nofollow"] }),
      );
      writeFileSync(join(bundle.rootfs, "tmp/target"), "target");
      symlinkSync("target", join(bundle.rootfs, "tmp/m"));
      expectEqual(expectOk(bench.run(bundle)).out.split("\n"), ["outside", "target"]);
    },
  },
  {
    name: "tmpcopyup: the tmpfs holds what the image has there",
    run: (bench) => {
      const bundle = bench.script("cat /tmp/d/f; readlink /tmp/d/l; echo changed > /tmp/d/f", (spec) =>
        addMount(spec, { destination: "/tmp/d", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }),
      );
      mkdirSync(join(bundle.rootfs, "tmp/d"));
      writeFileSync(join(bundle.rootfs, "tmp/d/f"), "image\n");
      symlinkSync("f", join(bundle.rootfs, "tmp/d/l"));
      for (let times = 0; times < 2; times++) expectEqual(expectOk(bench.run(bundle)).out.split("\n"), ["image", "f"]);
    },
  },
];
