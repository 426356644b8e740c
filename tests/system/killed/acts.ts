// What is killed: commands that move images, each with what must be so before, after a kill, and after it was run again.

import assert from "node:assert/strict";
import { createReadStream, existsSync, readdirSync, rmSync } from "node:fs";
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

import { brokenBlobs } from "./check-store.ts";
import type { World } from "./world.ts";

/** One command. */
export interface Act {
  readonly name: string;
  readonly args: readonly string[];
  /** Brings the world to where the command makes sense. */
  before(): Promise<void>;
  /** What must be so after a kill. */
  afterKill?(): Promise<void>;
  /** What must be so after it has run to its end. */
  afterAll?(): Promise<void>;
}

/** All acts; `round` makes names that no round before had. */
export function actsOf(world: World, round: number): Act[] {
  return [...acquiring(world), ...sending(world, round), ...writing(world, round), ...removing(world)];
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
  const { a, b } = world.names;
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
  const layout = world.path("layout");
  const wholeLayout = async (): Promise<void> => {
    assert.deepEqual(brokenBlobs(`${layout}/blobs`), []);
    if (!existsSync(`${layout}/oci-layout`)) return;
    const { manifests } = await readLayoutIndex(world.scope, layout);
    for (const one of manifests) await walkDescriptors(world.scope, DiskContentStore.readOnly(layout), one);
  };
  return [
    archive("save", ["save", "-o", "saved.tar", a], "saved.tar"),
    archive("copy to oci-archive", ["copy", "-q", `containers:${a}`, "oci-archive:copied.tar:a"], "copied.tar"),
    {
      name: "copy to a layout",
      args: ["copy", "-q", "--all", `docker://${b}`, "oci:layout:b"],
      before: async () => rmSync(layout, { recursive: true, force: true }),
      afterKill: wholeLayout,
      afterAll: async () => {
        await wholeLayout();
        assert.deepEqual(readdirSync(layout).toSorted(), ["blobs", "index.json", "oci-layout"]);
      },
    },
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
