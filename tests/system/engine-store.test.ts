// The engine's store under stress: contract of the snapshots, garbage collection beside work, a full disk.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { snapshotsSuite } from "@teu/engine/snapshots/snapshots.suite";
import { digestOf } from "@teu/image/digest";
import { Registry } from "@teu/registry/registry";
import { MEDIA_TYPES } from "@teu/specs/image";

import { EngineHost, imageConfig, layerTar, UNABLE } from "./engine-harness.ts";

const INSIDE = "TEU_TEST_SMALL_DISK";
const skip = UNABLE;

if (process.env[INSIDE] !== undefined) smallDisk(process.env[INSIDE]);
else everything();

function everything(): void {
  snapshotsSuite(
    "OverlaySnapshots",
    async () => {
      const host = await EngineHost.open();
      return {
        scope: host.scope,
        snapshots: host.engine.snapshots,
        blob: async (files) => {
          const tar = layerTar(Object.entries(files).map(([name, content]) => ({ name, content })));
          await using ingest = await host.engine.content.ingest(host.scope, digestOf(tar));
          await ingest.write(tar);
          await ingest.commit();
          return {
            descriptor: { mediaType: MEDIA_TYPES.layer, digest: digestOf(tar), size: tar.length },
            diffId: digestOf(tar),
          };
        },
        leftovers: () => readdirSync(join(host.directory, "root/tmp")),
        [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
      };
    },
    { skip },
  );

  test("prune: a layer with a DiffID of another algorithm than sha256 stays", { skip }, async () => {
    await using host = await EngineHost.open();
    const { scope, engine } = host;
    const tar = layerTar([{ name: "a", content: "a" }]);
    const descriptor = { mediaType: MEDIA_TYPES.layer, digest: digestOf(tar, "blake3"), size: tar.length };
    for (const algorithm of ["sha512", "blake3"] as const) {
      await using lease = await engine.lease(scope);
      await using ingest = await lease.content.ingest(scope, "layer", { digest: descriptor.digest });
      await ingest.write(tar);
      await ingest.commit();
      const diffId = digestOf(tar, algorithm);
      const layer = await lease.snapshots.unpack(scope, { descriptor, diffId, parent: null });
      await engine.images.create(scope, { config: imageConfig([diffId]), layers: [layer], names: [`x:${algorithm}`] });
    }
    await engine.prune(scope);
    for (const algorithm of ["sha512", "blake3"] as const) {
      const { chainId } = await engine.images.get(scope, `x:${algorithm}`);
      assert.equal(chainId, digestOf(tar, algorithm));
      const [layer] = await engine.snapshots.chain(scope, chainId);
      assert.equal(readFileSync(join(layer?.directory ?? "", "a"), "utf8"), "a");
    }
    await engine.prune(scope, { images: "unused" });
    assert.deepEqual(readdirSync(join(host.directory, "root/snapshots/layers")), []);
    assert.deepEqual(await Array.fromAsync(engine.content.list(scope)), []);
  });

  test("prune: takes nothing that a pull beside it needs", { skip }, async () => {
    await using host = await EngineHost.open();
    await using registry = await Registry.listen({ address: "127.0.0.1:0" });
    const { scope } = host;
    const name = `${new URL(registry.url).host}/bb:1`;
    await host.busybox(name);
    await host.engine.images.push(scope, name);
    await using second = await host.another();
    let done = false;
    let rounds = 0;
    const pruning = (async () => {
      while (!done) {
        await second.prune(scope, { images: "unused" });
        rounds++;
      }
    })();
    for (let round = 0; round < 15; round++) {
      const image = await host.engine.images.pull(scope, name);
      // It may be pruned again at once, but never in part.
      assert.equal(image.names.length <= 1, true);
    }
    done = true;
    await pruning;
    assert.ok(rounds > 3);
    const image = await host.engine.images.pull(scope, name);
    assert.equal((await host.run({ image: image.id, network: "none", command: ["true"] })).code, 0);
  });

  test("prune: what a killed process left is swept, what a living one works on is not", { skip }, async () => {
    await using host = await EngineHost.open();
    const { engine, scope } = host;
    const root = join(host.directory, "root");
    for (const path of [
      "tmp/other-boot%3A1%3A1-abcdef",
      "tmp/x.gone",
      "snapshots/layers/" + "0".repeat(64),
      "snapshots/workspaces/orphan",
      "containers/" + "1".repeat(64),
    ]) {
      mkdirSync(join(root, path, "deep/er"), { recursive: true });
      writeFileSync(join(root, path, "deep/file"), "x");
    }
    // The lock of a container whose removal was cut off after its row.
    writeFileSync(join(host.directory, "run/locks", "1".repeat(64)), "");
    await host.busybox();
    const { id } = await engine.containers.create(scope, { image: "busybox", network: "none", command: ["true"] });
    const kept = await engine.snapshots.prepare(scope, "mine", null);
    await engine.prune(scope, { containers: false });
    assert.deepEqual(
      [
        readdirSync(join(root, "tmp")),
        readdirSync(join(root, "snapshots/layers")).length,
        readdirSync(join(root, "snapshots/workspaces")).sort(),
        readdirSync(join(root, "containers")),
        readdirSync(join(host.directory, "run/locks")),
      ],
      [[], 1, [id, "mine"].sort(), [id], []],
    );
    assert.equal((await engine.containers.get(scope, id)).status, "created");
    await engine.containers.remove(scope, id);
    assert.deepEqual(await engine.snapshots.workspace(scope, "mine"), kept);
    await engine.snapshots.remove(scope, "mine");
  });

  test("lease: keeps a blob and a layer that nothing refers to, until it ends", { skip }, async () => {
    await using host = await EngineHost.open();
    const { engine, scope } = host;
    const tar = layerTar([{ name: "a", content: "1" }]);
    const count = async () => {
      let blobs = 0;
      for await (const _ of engine.content.list(scope)) blobs++;
      return [blobs, (await engine.snapshots.list(scope)).length];
    };
    {
      await using lease = await engine.lease(scope);
      await using ingest = await lease.content.ingest(scope, "key");
      await ingest.write(tar);
      await ingest.commit();
      await lease.snapshots.unpack(scope, {
        descriptor: { mediaType: MEDIA_TYPES.layer, digest: digestOf(tar), size: tar.length },
        parent: null,
      });
      await engine.prune(scope);
      assert.deepEqual(await count(), [1, 1]);
    }
    const report = await engine.prune(scope);
    assert.deepEqual(await count(), [0, 0]);
    assert.ok(report.reclaimed >= tar.length);
  });

  test("build cache: entries keep their layers and forget them together", { skip }, async () => {
    await using host = await EngineHost.open();
    const { engine, scope } = host;
    const workspace = await engine.snapshots.prepare(scope, "step", null);
    writeFileSync(join(workspace.upper, "file"), "x");
    const layer = await engine.snapshots.commit(scope, "step");
    await engine.buildCache.put(scope, { key: "k", chainId: layer.chainId, value: { n: 1 } });
    await engine.prune(scope);
    assert.deepEqual(await engine.buildCache.get(scope, "k"), { key: "k", chainId: layer.chainId, value: { n: 1 } });
    assert.equal(await engine.buildCache.get(scope, "other"), null);
    await engine.prune(scope, { buildCache: true });
    assert.equal(await engine.buildCache.get(scope, "k"), null);
    assert.equal(await engine.snapshots.get(scope, layer.chainId), null);
  });

  test(
    "volumes: named ones stay, anonymous ones go with their container, prune takes what nobody uses",
    { skip },
    async () => {
      await using host = await EngineHost.open();
      await host.busybox("vols", { Volumes: { "/data": {} } });
      const { engine, scope } = host;
      const volumes = () => readdirSync(join(host.directory, "root/volumes"));
      const first = await host.run({
        image: "vols",
        network: "none",
        volumes: [{ kind: "volume", name: "kept", target: "/kept" }],
        command: ["sh", "-c", "echo 1 > /kept/x; echo 2 > /data/y"],
      });
      assert.equal(volumes().length, 2);
      await engine.containers.remove(scope, first.id, { volumes: true });
      assert.deepEqual(volumes(), ["kept"]);
      const second = await host.run({
        image: "vols",
        network: "none",
        volumes: [{ kind: "volume", name: "kept", target: "/kept" }],
        command: ["cat", "/kept/x"],
      });
      assert.equal(second.stdout, "1\n");
      assert.deepEqual((await engine.prune(scope, { containers: false, volumes: true })).volumes, []);
      assert.deepEqual((await engine.prune(scope, { volumes: true })).volumes, ["kept"]);
      assert.deepEqual(volumes(), []);
    },
  );

  test("remove: a tree deeper than any path", { skip }, async () => {
    await using host = await EngineHost.open();
    await host.busybox();
    const { id, code } = await host.run({
      image: "busybox",
      network: "none",
      command: [
        "sh",
        "-c",
        "n=$(printf 'x%.0s' $(seq 200)); for half in a b; do p=/$half; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do p=$p/$n; done; mkdir -p $p || exit 1; done; cd $p && mv /a .",
      ],
    });
    assert.equal(code, 0);
    await host.engine.containers.remove(host.scope, id);
    assert.deepEqual(readdirSync(join(host.directory, "root/snapshots/workspaces")), []);
  });

  test("a full disk, in a mount namespace of its own", { skip }, () => {
    const directory = mkdtempSync(join(tmpdir(), "teu-small-"));
    try {
      const script = `mount --make-rprivate / && mount -t tmpfs -o size=7m small "$2" && exec "$0" --test-reporter=tap "$1"`;
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const done = spawnSync(
        "unshare",
        ["-m", "sh", "-c", script, process.execPath, new URL(import.meta.url).pathname, directory],
        { env: { ...env, [INSIDE]: directory }, encoding: "utf8", timeout: 60_000 },
      );
      assert.equal(done.status, 0, `${done.stdout}${done.stderr}`);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}

function smallDisk(directory: string): void {
  test("full disk: pull, create and start fail clearly, leave nothing, and work again once there is room", async () => {
    await using registry = await Registry.listen({ address: "127.0.0.1:0" });
    const name = `${new URL(registry.url).host}/bb:1`;
    {
      await using elsewhere = await EngineHost.open();
      await elsewhere.busybox(name);
      await elsewhere.engine.images.push(elsewhere.scope, name);
    }
    const place = join(directory, "engine");
    mkdirSync(place);
    await using host = await EngineHost.open({}, place);
    const { engine, scope } = host;
    const ballast = join(directory, "ballast");
    const fill = (left: number) => {
      const [, , , available = "0"] =
        spawnSync("df", ["-k", directory], { encoding: "utf8" }).stdout.trim().split("\n").at(-1)?.split(/\s+/) ?? [];
      writeFileSync(ballast, Buffer.alloc(Math.max(0, Number(available) * 1024 - left)));
    };
    for (const left of [100_000, 1_000_000, 3_000_000]) {
      fill(left);
      await assert.rejects(engine.images.pull(scope, name), { code: "exhausted" }, String(left));
      rmSync(ballast);
      await engine.prune(scope);
      assert.deepEqual(
        [
          readdirSync(join(place, "root/tmp")),
          readdirSync(join(place, "root/snapshots/layers")),
          await engine.images.list(scope),
        ],
        [[], [], []],
      );
    }
    await engine.images.pull(scope, name);
    fill(0);
    await assert.rejects(engine.containers.create(scope, { image: name, network: "none", command: ["true"] }), {
      code: "exhausted",
    });
    rmSync(ballast);
    assert.deepEqual(await engine.containers.list(scope, { all: true }), []);
    const { id } = await engine.containers.create(scope, { image: name, network: "none", command: ["true"] });
    fill(0);
    await assert.rejects(engine.containers.start(scope, id), { code: "exhausted" });
    rmSync(ballast);
    await engine.containers.start(scope, id);
    assert.equal((await engine.containers.wait(scope, id)).code, 0);
    assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), /rootfs/);
  });
}
