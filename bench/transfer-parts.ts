// An image for benchmarks of transfers, ten layers of 20 MB, and registries to transfer it from and to.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { createScope } from "@teu/base/scope";
import type { DiskContentStore } from "@teu/image/disk-content-store";
import { writeImageConfig, writeManifest } from "@teu/image/documents";
import { emptyImageConfig, withLayer } from "@teu/image/image-config";
import { packLayer } from "@teu/image/layer/pack";
import { hostPlatform } from "@teu/image/platform";
import type { Descriptor } from "@teu/specs/image";
import { DockerRegistry } from "@teu/testkit/docker-registry";

import { layerOfWords } from "./words.ts";

/** The command line. */
export const TEU: string = join(import.meta.dirname, "../bin/teu");
/** Of the image. */
export const LAYERS = 10;
/** 43 MB of tar, 20 MB of gzip. */
const FILES = 650;
const scope = createScope();

/** A registry; stopped when disposed. */
export interface Place extends AsyncDisposable {
  readonly name: string;
  readonly host: string;
}

/** Ours. */
export async function ours(directory: string): Promise<Place> {
  const child = spawn(TEU, ["registry", "serve", "--addr", "127.0.0.1:0", "--root", join(directory, "registry")], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const { host } = new URL(line.toString().replace("listening on ", "").trim());
  return { name: "our registry", host, [Symbol.asyncDispose]: () => ended(child) };
}

/** docker-registry. */
export async function theirs(directory: string): Promise<Place> {
  const registry = await DockerRegistry.start({ parent: directory });
  return {
    name: "docker-registry",
    host: new URL(registry.url).host,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** Stops a program of ours. */
export async function ended(child: ReturnType<typeof spawn>): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}

/** The image, in a store of its own. Layers that the peers have not seen, compressed as `docker push` does. */
export async function makeImage(store: DiskContentStore): Promise<Descriptor> {
  let config = emptyImageConfig(hostPlatform());
  const layers: Descriptor[] = [];
  for (let index = 0; index < LAYERS; index++) {
    const layer = await packLayer(scope, {
      source: layerOfWords(`layer-${index}`, FILES, 66_000),
      store,
      compression: "gzip",
    });
    config = withLayer(config, layer.diffId);
    layers.push(layer.descriptor);
  }
  const written = await writeImageConfig(scope, store, config);
  return writeManifest(scope, store, { config: written, layers });
}
