// Pushes race with collecting in another process, whose clock runs thousands of times faster than ours, as does the server's: blobs
// grow old within a few milliseconds. What was acknowledged must be whole until it is deleted.
// TEU_GC_RACE_ROUNDS says how many pushes (default 120).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

import { collect, planCollect } from "./admin/collect.ts";
import { OpenRoot } from "./admin/open-root.ts";
import { Registry } from "./registry.ts";

const ROUNDS = Number(process.env["TEU_GC_RACE_ROUNDS"] ?? 120);
const CLIENTS = 6;
/** A millisecond is 20 seconds: a lease is renewed after 15 milliseconds, and over after 60. */
const SPEED = 20_000;
const GRACE = 1_200_000;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

const COLLECTOR = `
  import { createScope } from "@teu/base/scope";
  import { collect } from "@teu/registry/admin/collect";
  import { OpenRoot } from "@teu/registry/admin/open-root";
  const [path, base] = process.argv.slice(1);
  const scope = createScope({ now: () => Number(base) + (Date.now() - base) * ${SPEED} });
  await using root = await OpenRoot.open(scope, path);
  let over = false;
  process.once("SIGTERM", () => (over = true));
  process.stdout.write("ready\\n");
  const total = { blobs: 0, manifests: 0 };
  while (!over) {
    const { blobs, manifests } = await collect(scope, root, { grace: ${GRACE}, uploadExpiry: 1e12, untagged: true });
    total.blobs += blobs;
    total.manifests += manifests;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  process.stdout.write(JSON.stringify(total) + "\\n");
`;

test(`collect: ${ROUNDS} pushes while another process collects lose nothing`, async (t) => {
  await using root = await tempRoot();
  const base = Date.now();
  const scope = createScope({ now: () => base + (Date.now() - base) * SPEED });
  await using registry = await Registry.listen({ root: root.path, scope, sweepInterval: 0 });
  const child = spawn(process.execPath, ["--input-type=module", "-e", COLLECTOR, root.path, String(base)], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = once(child, "close");
  try {
    await Promise.race([once(child.stdout, "data"), ended]);
    let refused = 0;
    const client = async (id: number): Promise<void> => {
      for (let round = id; round < ROUNDS; round += CLIENTS) refused += await pushAndCheck(registry.url, id, round);
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, id) => client(id)));
    child.kill("SIGTERM");
    await ended;
    const collected = JSON.parse(said.split("\n")[1] ?? "{}") as { blobs: number; manifests: number };
    t.diagnostic(`${collected.blobs} blobs and ${collected.manifests} manifests collected, ${refused} pushes repeated`);
    assert.ok(collected.blobs > 0 && collected.manifests > 0, "nothing was collected meanwhile");
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
});

/** Pushes until it is acknowledged, looks whether all is there, and mostly deletes it again. Returns how often it was refused. */
async function pushAndCheck(url: string, id: number, round: number): Promise<number> {
  const repository = `${url}/v2/r${round % 3}`;
  // Few contents: they come and go all the time.
  const contents = [`content ${round % 5}`, `content ${(round * 7) % 11}`];
  const layers = contents.map((text) => ({ mediaType: "m/t", digest: digestOf(text), size: text.length }));
  const [config] = layers;
  const body = JSON.stringify({
    schemaVersion: 2,
    config,
    layers,
    annotations: { id: String(id), round: String(round) },
  });
  for (let refused = 0; ; refused++) {
    for (const text of contents) {
      const head = await rawRequest(`${repository}/blobs/${digestOf(text)}`, { method: "HEAD" });
      if (head.status === 200) continue;
      const url = `${repository}/blobs/uploads/?digest=${digestOf(text)}`;
      assert.equal((await rawRequest(url, { method: "POST", body: text })).status, 201);
    }
    const put = await rawRequest(`${repository}/manifests/t${id}`, {
      method: "PUT",
      body,
      headers: { "content-type": MANIFEST },
    });
    // A client that was slower than the grace time is told so.
    if (put.status === 404) continue;
    assert.equal(put.status, 201, put.text);
    for (const text of contents) {
      const got = await rawRequest(`${repository}/blobs/${digestOf(text)}`);
      assert.deepEqual([got.status, got.text], [200, text]);
    }
    if (round % 10 !== 0) await rawRequest(`${repository}/manifests/${digestOf(body)}`, { method: "DELETE" });
    return refused;
  }
}

test("planCollect: says what goes now and later, and deletes nothing", async () => {
  await using root = await tempRoot();
  const clock = { now: 1_000_000 };
  const scope = createScope({ now: () => clock.now });
  await using registry = await Registry.listen({ root: root.path, scope, sweepInterval: 0 });
  const push = async (text: string): Promise<void> => {
    const url = `${registry.url}/v2/a/blobs/uploads/?digest=${digestOf(text)}`;
    assert.equal((await rawRequest(url, { method: "POST", body: text })).status, 201);
  };
  await push("old");
  clock.now += 2_000_000;
  await push("younger");
  await using opened = await OpenRoot.open(scope, root.path);
  const options = { grace: 1_500_000, uploadExpiry: 1_500_000, untagged: false };
  const plan = await planCollect(scope, opened, options);
  assert.deepEqual([plan.now.blobs, plan.now.bytes, plan.later.blobs, plan.later.bytes], [1, 3, 1, 7]);
  assert.deepEqual(await planCollect(scope, opened, options), plan);
  assert.deepEqual(await collect(scope, opened, options), plan.now);
  assert.equal((await rawRequest(`${registry.url}/v2/a/blobs/${digestOf("younger")}`)).status, 200);
  assert.equal((await rawRequest(`${registry.url}/v2/a/blobs/${digestOf("old")}`)).status, 404);
});
