// What is killed: commands that move images, each with what must be so before, after a kill, and after it was run again.

import assert from "node:assert/strict";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname } from "node:path";

import { isTeuError } from "@teu/base/errors";
import { pullImage } from "@teu/distribution/client/pull";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { DiskContentStore } from "@teu/image/disk-content-store";
import { loadArchive } from "@teu/image/docker-archive/load-archive";
import { walkDescriptors } from "@teu/image/documents";
import { readLayoutIndex } from "@teu/image/layout/layout-directory";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { randomBytes } from "@teu/testkit/random-image";

import { brokenBlobs } from "./check-store.ts";
import type { World } from "./world.ts";

/** One command. */
export interface Act {
  readonly name: string;
  readonly args: readonly string[];
  /** What is run after a kill; default: the same, which must succeed as if nothing had been. */
  readonly again?: readonly string[];
  /** Brings the world to where the command makes sense. */
  before(): Promise<void>;
  /** What must be so after a kill. */
  afterKill?(): Promise<void>;
  /** What must be so after it has run to its end. */
  afterAll?(): Promise<void>;
}

/** All acts; `round` makes names that no round before had. */
export function actsOf(world: World, round: number): Act[] {
  return [
    ...acquiring(world),
    ...sending(world, round),
    ...writing(world, round),
    ...layouts(world),
    ...files(world, round),
    ...removing(world),
  ];
}

function acquiring(world: World): Act[] {
  const { a, b } = world.names;
  const without = (): Promise<void> => forget(world);
  const emptied = async (): Promise<void> => assert.deepEqual(readdirSync(world.path("tmp")), []);
  return [
    { name: "pull", args: ["pull", "-q", a], before: without },
    { name: "pull one of several platforms", args: ["pull", "-q", b], before: without },
    { name: "pull what is half there", args: ["pull", "-q", b], before: () => have(world, a) },
    { name: "load docker-archive", args: ["load", "-q", "-i", "docker-archive.tar"], before: without },
    { name: "load oci-archive", args: ["load", "-q", "-i", "oci-archive.tar"], before: without },
    {
      name: "copy an archive into the store",
      args: ["copy", "-q", "docker-archive:docker-archive.tar", "containers:local/copied:a"],
      before: without,
      afterAll: emptied,
    },
    {
      name: "copy from the registry into the store",
      args: ["copy", "-q", `docker://${b}`, "containers:local/copied:b"],
      before: without,
    },
  ];
}

function sending(world: World, round: number): Act[] {
  const { a } = world.names;
  const pushed = `${world.registry.address}/pushed-${round}:v1`;
  const absentOrWhole = async (): Promise<boolean> => {
    await using client = new RegistryClient();
    const store = new MemoryContentStore();
    try {
      const { descriptor } = await pullImage(world.scope, {
        client,
        reference: parseReference(pushed),
        store,
        platform: "all",
      });
      await walkDescriptors(world.scope, store, descriptor);
      return true;
    } catch (error) {
      // Nothing else: a name without its parts would be `corrupt`, or not found with a digest.
      if (isTeuError(error, "not-found") && !error.message.includes("blob")) return false;
      throw error;
    }
  };
  return [
    {
      name: "push",
      args: ["push", "-q", pushed],
      before: async () => {
        await have(world, a);
        await using engine = await world.engine();
        await engine.images.tag(world.scope, a, pushed);
      },
      afterKill: async () => void (await absentOrWhole()),
      afterAll: async () => assert.ok(await absentOrWhole()),
    },
    {
      name: "copy from registry to registry",
      args: ["copy", "-q", "--all", `docker://${world.names.b}`, `docker://${pushed}`],
      before: async () => {},
      afterKill: async () => void (await absentOrWhole()),
      afterAll: async () => assert.ok(await absentOrWhole()),
    },
  ];
}

function writing(world: World, round: number): Act[] {
  const { a } = world.names;
  const archive = (name: string, args: readonly string[], file: string): Act => ({
    name,
    args,
    before: async () => {
      await have(world, a);
      // With and without something in its place.
      if (existsSync(world.path(file)) && round % 2 === 0) rmSync(world.path(file));
    },
    afterKill: async () => {
      if (!existsSync(world.path(file))) return;
      assert.equal(
        (await loadArchive(world.scope, createReadStream(world.path(file)), new MemoryContentStore())).length,
        1,
      );
    },
    afterAll: async () => {
      const beside = readdirSync(dirname(world.path(file))).filter((entry) => entry.includes(basename(file)));
      assert.deepEqual(beside, [basename(file)]);
    },
  });
  return [
    archive("save", ["save", "-o", "saved.tar", a], "saved.tar"),
    archive("copy to oci-archive", ["copy", "-q", `containers:${a}`, "oci-archive:copied.tar:a"], "copied.tar"),
    {
      name: "copy to a directory",
      args: ["copy", "-q", `docker://${a}`, "dir:directory"],
      before: async () => {},
      afterAll: async () => {
        // Two documents and a version, and what the image is made of.
        const names = readdirSync(world.path("directory"));
        assert.deepEqual(
          names.filter((entry) => entry.startsWith(".")),
          [],
        );
        assert.equal(names.length, 2 + 4);
      },
    },
  ];
}

function layouts(world: World): Act[] {
  const { a, b } = world.names;
  const layout = world.path("layout");
  const whole = async (): Promise<void> => {
    assert.deepEqual(brokenBlobs(`${layout}/blobs`), []);
    if (!existsSync(`${layout}/oci-layout`)) return;
    const { manifests } = await readLayoutIndex(world.scope, layout);
    for (const one of manifests) await walkDescriptors(world.scope, DiskContentStore.readOnly(layout), one);
  };
  const without = async (): Promise<void> => rmSync(layout, { recursive: true, force: true });
  const tidy = async (): Promise<void> => {
    await whole();
    assert.deepEqual(readdirSync(layout).toSorted(), ["blobs", "index.json", "oci-layout"]);
  };
  const needed = async (): Promise<number> => {
    const store = DiskContentStore.readOnly(layout);
    const digests = new Set<string>();
    for (const entry of (await readLayoutIndex(world.scope, layout)).manifests)
      for (const { digest } of await walkDescriptors(world.scope, store, entry)) digests.add(digest);
    return digests.size;
  };
  return [
    {
      name: "copy to a layout",
      args: ["copy", "-q", "--all", `docker://${b}`, "oci:layout:b"],
      before: without,
      afterKill: whole,
      afterAll: tidy,
    },
    {
      name: "sync to a layout",
      args: ["sync", "images.yaml", "oci:layout"],
      before: async () => {
        await without();
        writeFileSync(
          world.path("images.yaml"),
          JSON.stringify({ [world.registry.address]: { "tls-verify": false, images: { app: ["a", "b"] } } }),
        );
      },
      afterKill: whole,
      afterAll: tidy,
    },
    {
      name: "delete from a layout",
      args: ["delete", "oci:layout:a"],
      // What it left to do is done by whoever writes there next: the name may be gone.
      again: ["copy", "-q", "--all", `docker://${b}`, "oci:layout:again"],
      before: async () => {
        await without();
        for (const [from, to] of [
          [a, "a"],
          [b, "b"],
        ] as const) {
          const { code, text } = await world.run(["copy", "-q", "--all", `docker://${from}`, `oci:layout:${to}`]);
          assert.equal(code, 0, text);
        }
      },
      afterKill: whole,
      afterAll: async () => {
        await tidy();
        assert.equal(readdirSync(`${layout}/blobs/sha256`).length, await needed());
      },
    },
  ];
}

function files(world: World, round: number): Act[] {
  const artifact = `${world.registry.address}/files:v1`;
  const fill = (name: string): void => {
    mkdirSync(world.path("files/tree"), { recursive: true });
    for (const file of ["one", "tree/two", "tree/three"])
      writeFileSync(world.path(`files/${file}`), randomBytes(`${name}/${file}`, 150_000));
  };
  const push = (name: string): readonly string[] => ["artifact", "push", "-q", name, "files/one", "files/tree"];
  const target = world.path("pulled");
  return [
    {
      name: "artifact push",
      args: push(`${world.registry.address}/files-${round}:v1`),
      before: async () => fill(String(round)),
      afterAll: async () => {
        assert.deepEqual(readdirSync(world.path("tmp")), []);
        const { code, text } = await world.run(["digest", `${world.registry.address}/files-${round}:v1`]);
        assert.equal(code, 0, text);
      },
    },
    {
      name: "artifact pull",
      args: ["artifact", "pull", "-q", "--overwrite", "-o", "pulled", artifact],
      before: async () => {
        rmSync(target, { recursive: true, force: true });
        fill("pulled");
        const { code, text } = await world.run(push(artifact));
        assert.equal(code, 0, text);
      },
      afterKill: async () => {
        // What has its name is whole.
        for (const file of existsSync(target) ? readdirSync(target, { recursive: true, encoding: "utf8" }) : [])
          if (!file.startsWith(".") && statSync(`${target}/${file}`).isFile())
            assert.deepEqual(readFileSync(`${target}/${file}`), readFileSync(world.path(file)));
      },
      afterAll: async () => {
        assert.deepEqual(readdirSync(target), ["files"]);
        assert.deepEqual(readdirSync(`${target}/files`).toSorted(), ["one", "tree"]);
        for (const file of ["one", "tree/two", "tree/three"])
          assert.deepEqual(readFileSync(`${target}/files/${file}`), readFileSync(world.path(`files/${file}`)));
      },
    },
  ];
}

function removing(world: World): Act[] {
  const { a, b } = world.names;
  const full = async (): Promise<void> => {
    await have(world, a);
    await have(world, b);
  };
  return [
    {
      name: "rmi",
      args: ["rmi", "-f", a],
      before: full,
    },
    {
      name: "prune",
      args: ["system", "prune", "-af"],
      before: async () => {
        await full();
        await using engine = await world.engine();
        const { id } = await engine.containers.create(world.scope, { image: a, network: "none", command: ["true"] });
        await engine.containers.create(world.scope, { image: b, network: "none", command: ["true"] });
        await engine.containers.remove(world.scope, id);
      },
    },
    {
      name: "manifest create",
      args: ["manifest", "create", "--amend", "local/list:v1", a],
      before: async () => {},
    },
    { name: "create", args: ["create", "--network", "none", a, "true"], before: () => have(world, a) },
  ];
}

/** Takes every image and container away. */
export async function forget(world: World): Promise<void> {
  await using engine = await world.engine();
  for (const { id } of await engine.containers.list(world.scope, { all: true }))
    await engine.containers.remove(world.scope, id, { force: true });
  await engine.prune(world.scope, { images: "unused" });
}

async function have(world: World, name: string): Promise<void> {
  await using engine = await world.engine();
  const names = (await engine.images.list(world.scope)).flatMap((image) => image.names);
  if (!names.includes(name)) await engine.images.pull(world.scope, name);
}
