// Pull: layers are unpacked while later ones are on their way, and a pull that fails leaves nothing that is not whole.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { type Digest, digestOf } from "@teu/image/digest";
import { Registry } from "@teu/registry/registry";
import { MEDIA_TYPES } from "@teu/specs/image";
import type { Layer } from "@teu/engine/snapshots/snapshots";

import { EngineHost, imageConfig, layerTar, UNABLE } from "./engine-harness.ts";

const opts = { skip: UNABLE };

/** What stands between the client and the registry: waits, or changes what comes. */
type Meddle = (path: string, body: Buffer) => Promise<Buffer>;

/** A registry behind something that meddles with its answers. */
class MeddledRegistry implements AsyncDisposable {
  readonly #registry: Registry;
  readonly #server;
  meddle: Meddle = async (_path, body) => body;

  private constructor(registry: Registry) {
    this.#registry = registry;
    this.#server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing));
  }

  static async listen(): Promise<MeddledRegistry> {
    const made = new MeddledRegistry(await Registry.listen({ address: "127.0.0.1:0" }));
    made.#server.listen(0, "127.0.0.1");
    await once(made.#server, "listening");
    return made;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#registry[Symbol.asyncDispose]();
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method = "GET", url = "/", headers } = incoming;
    const onward = request(new URL(url, this.#registry.url), { method, headers });
    onward.on("response", (answer) => {
      void (async () => {
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk as Buffer);
        const body = method === "GET" ? await this.meddle(url, Buffer.concat(chunks)) : Buffer.concat(chunks);
        // What is meddled with must not be given away by a header.
        const { "docker-content-digest": _, etag: __, ...passed } = answer.headers;
        outgoing.writeHead(answer.statusCode ?? 500, passed).end(method === "HEAD" ? undefined : body);
      })().catch(() => outgoing.destroy());
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  }
}

/** An image of some layers with one file each, pushed and forgotten here. Returns the digests of its layers. */
async function pushed(host: EngineHost, name: string, count: number): Promise<Digest[]> {
  const { scope, engine } = host;
  const digests: Digest[] = [];
  {
    await using lease = await engine.lease(scope);
    const layers: Layer[] = [];
    for (let index = 0; index < count; index++) {
      const tar = layerTar([{ name: `file-${index}`, content: `content ${index}` }]);
      const descriptor = { mediaType: MEDIA_TYPES.layer, digest: digestOf(tar), size: tar.length };
      await using ingest = await lease.content.ingest(scope, descriptor.digest, descriptor);
      await ingest.write(tar);
      await ingest.commit();
      layers.push(await lease.snapshots.unpack(scope, { descriptor, parent: layers.at(-1)?.chainId ?? null }));
      digests.push(descriptor.digest);
    }
    const config = imageConfig(layers.map((layer) => layer.diffId));
    await engine.images.create(scope, { config, layers, names: [name] });
  }
  await engine.images.push(scope, name);
  await engine.images.remove(scope, name);
  return digests;
}

test("Images.pull: a layer is unpacked while the next one is still on its way", opts, async () => {
  await using host = await EngineHost.open();
  await using registry = await MeddledRegistry.listen();
  const name = `${registry.host}/test/two:v1`;
  const [first, second] = await pushed(host, name, 2);
  const unpacked = Promise.withResolvers<void>();
  registry.meddle = async (path, body) => {
    // Without unpacking beside the download this would wait for ever.
    if (path.endsWith(`/blobs/${second}`)) await unpacked.promise;
    return body;
  };
  const image = await host.engine.images.pull(host.scope, name, {
    progress: (event) => {
      if (event.kind === "done" && event.id === first) unpacked.resolve();
    },
  });
  const [top] = await host.engine.snapshots.chain(host.scope, image.chainId as Digest);
  assert.ok(existsSync(join(top?.directory ?? "", "file-1")));
});

test(
  "Images.pull: a last layer that is another ends it; no image, no temporary file, nothing that prune leaves",
  opts,
  async () => {
    await using host = await EngineHost.open();
    await using registry = await MeddledRegistry.listen();
    const name = `${registry.host}/test/bad:v1`;
    const [first, , last] = await pushed(host, name, 3);
    const unpacked = Promise.withResolvers<void>();
    registry.meddle = async (path, body) => {
      if (!path.endsWith(`/blobs/${last}`)) return body;
      await unpacked.promise;
      return Buffer.alloc(body.length, 1);
    };
    const pulling = host.engine.images.pull(host.scope, name, {
      progress: (event) => {
        if (event.kind === "done" && event.id === first) unpacked.resolve();
      },
    });
    await assert.rejects(pulling, { code: "corrupt" });
    assert.deepEqual(await host.engine.images.list(host.scope), []);
    assert.deepEqual(readdirSync(join(host.directory, "root/tmp")), []);
    assert.deepEqual(readdirSync(join(host.directory, "root/content/ingest")), []);
    await host.engine.prune(host.scope, { images: "unused" });
    assert.deepEqual(readdirSync(join(host.directory, "root/snapshots/layers")), []);
    // The same pull from a sound registry goes through.
    registry.meddle = async (_path, body) => body;
    assert.equal((await host.engine.images.pull(host.scope, name)).names[0], name);
  },
);

test("Images.pull: a config that promises other layers ends the download too", opts, async () => {
  await using host = await EngineHost.open();
  await using registry = await MeddledRegistry.listen();
  const name = `${registry.host}/test/lie:v1`;
  const layers = await pushed(host, name, 2);
  let config = "";
  registry.meddle = async (path, body) => {
    if (path.includes("/manifests/")) {
      const manifest = JSON.parse(body.toString()) as { layers: unknown[]; config: { digest: string } };
      config = manifest.config.digest;
      // The layers change places: their digests are right, what the config says of each is not.
      manifest.layers.reverse();
      return Buffer.from(JSON.stringify(manifest));
    }
    // Would come long after the failure, if anybody still waited for it.
    if (path.endsWith(`/blobs/${layers[0]}`)) await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
    return body;
  };
  await assert.rejects(host.engine.images.pull(host.scope, name), { code: "corrupt" });
  assert.notEqual(config, "");
  assert.deepEqual(readdirSync(join(host.directory, "root/tmp")), []);
});
