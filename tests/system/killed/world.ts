// A root, a registry with two images, archives of them, and a way to run `bin/teu` there and have it killed.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createScope, type Scope } from "@teu/base/scope";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { Engine } from "@teu/engine/engine";
import { writeImageConfig, writeIndex, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withLayer } from "@teu/image/image-config";
import { packLayer } from "@teu/image/layer/pack";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { hostPlatform } from "@teu/image/platform";
import { parseReference } from "@teu/image/reference";
import { Registry } from "@teu/registry/registry";
import type { Descriptor } from "@teu/specs/image";
import { randomBytes } from "@teu/testkit/random-image";

import { chunked, type LayerItem, layerTar } from "../image-layers.ts";
import { type KnownLayers, layersOf, type Places } from "./check-store.ts";

const ROOT = join(import.meta.dirname, "../../..");
const HOOK = join(import.meta.dirname, "kill-at-step.ts");

/** When a command is to be killed: before its step number ..., after so many milliseconds, or never. */
export type Kill = { readonly step: number } | { readonly after: number } | null;

/** How a command ended. */
export interface Ended {
  readonly killed: boolean;
  readonly code: number | null;
  readonly text: string;
  /** What it did, one line each; none when it was killed by time. */
  readonly steps: readonly string[];
  readonly milliseconds: number;
}

/** See the head of this file. */
export class World implements AsyncDisposable {
  readonly scope: Scope = createScope();
  readonly directory: string;
  readonly registry: Registry;
  readonly places: Places;
  /** Names of the two images on the registry. */
  readonly names: { readonly a: string; readonly b: string };
  /** What the names stand for: a manifest and an index. */
  readonly targets: Map<string, Descriptor> = new Map();
  known: KnownLayers = new Map();

  private constructor(directory: string, registry: Registry) {
    this.directory = directory;
    this.registry = registry;
    this.places = { root: join(directory, "root"), runroot: join(directory, "run") };
    this.names = { a: `${registry.address}/app:a`, b: `${registry.address}/app:b` };
  }

  static async open(): Promise<World> {
    const directory = mkdtempSync(join(tmpdir(), "teu-killed-"));
    const world = new World(directory, await Registry.listen({ root: join(directory, "registry"), sweepInterval: 0 }));
    try {
      mkdirSync(join(directory, "tmp"));
      await world.#fill();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  engine(): Promise<Engine> {
    return Engine.open(this.scope, this.places);
  }

  /** Runs a command; by step or not at all, its steps are counted. */
  async run(args: readonly string[], kill: Kill = null, places: Places = this.places): Promise<Ended> {
    const report = this.path("steps");
    rmSync(report, { force: true });
    const timed = kill !== null && "after" in kill;
    const start = performance.now();
    const child = spawn(process.execPath, [...(timed ? [] : ["--import", HOOK]), join(ROOT, "bin/teu"), ...args], {
      cwd: this.directory,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        HOME: this.directory,
        TMPDIR: this.path("tmp"),
        TEU_ROOT: places.root,
        TEU_RUNROOT: places.runroot,
        TEU_KILL_AT: String(kill !== null && "step" in kill ? kill.step : 0),
        TEU_KILL_REPORT: report,
      },
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
    const timer = timed ? setTimeout(() => child.kill("SIGKILL"), kill.after) : undefined;
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (...how) => resolve(how));
    });
    clearTimeout(timer);
    const steps = existsSync(report) ? readFileSync(report, "utf8").split("\n").slice(0, -1) : [];
    return { killed: signal === "SIGKILL", code, text, steps, milliseconds: performance.now() - start };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #fill(): Promise<void> {
    const { scope } = this;
    const store = new MemoryContentStore();
    const base = layerOf("base", 12, 60_000);
    const a = await imageOf(store, [base, layerOf("a", 6, 200_000), [{ name: "base/1", content: "changed" }]]);
    const b = await imageOf(store, [base, [{ name: "base/.wh.2" }, ...layerOf("b", 10, 20_000)]]);
    const other = await imageOf(store, [layerOf("other", 2, 10_000)]);
    const index = await writeIndex(scope, store, [
      { ...b, platform: hostPlatform() },
      { ...other, platform: { os: "linux", architecture: "s390x" } },
    ]);
    await using client = new RegistryClient();
    for (const [name, descriptor] of [
      [this.names.a, a],
      [this.names.b, index],
    ] as const) {
      await pushImage(scope, { client, reference: parseReference(name), store, descriptor });
      this.targets.set(name, descriptor);
    }
    await this.#prepare();
  }

  /** What an engine makes of the images that nobody kills, and archives of them. */
  async #prepare(): Promise<void> {
    const places = { root: this.path("reference/root"), runroot: this.path("reference/run") };
    await using engine = await Engine.open(this.scope, places);
    for (const name of [this.names.a, this.names.b]) await engine.images.pull(this.scope, name);
    this.known = await layersOf(this.scope, engine);
    for (const [format, name] of [
      ["docker-archive", this.names.a],
      ["oci-archive", this.names.b],
    ] as const) {
      const { code, text } = await this.run(["save", "--format", format, "-o", `${format}.tar`, name], null, places);
      if (code !== 0) throw new Error(text);
    }
  }
}

function layerOf(name: string, files: number, size: number): LayerItem[] {
  return [
    { name: `${name}/`, mode: 0o750, uid: 7 },
    { name: `${name}/link`, type: "symlink", linkName: "0" },
    ...Array.from({ length: files }, (_, i) => ({
      name: `${name}/${i}`,
      content: randomBytes(`${name}/${i}`, size),
      mode: 0o640,
    })),
    { name: `${name}/hard`, type: "hardlink", linkName: `${name}/0`, mode: 0o640 },
  ];
}

async function imageOf(store: MemoryContentStore, layers: readonly (readonly LayerItem[])[]): Promise<Descriptor> {
  const scope = createScope();
  let config = emptyImageConfig(hostPlatform());
  const descriptors: Descriptor[] = [];
  for (const [index, items] of layers.entries()) {
    const compression = index % 2 === 0 ? "gzip" : "zstd";
    const packed = await packLayer(scope, { source: chunked(layerTar(items)), store, compression });
    descriptors.push(packed.descriptor);
    config = withLayer(config, packed.diffId, { created_by: "test" });
  }
  return writeManifest(scope, store, { config: await writeImageConfig(scope, store, config), layers: descriptors });
}
