// A registry that pushes, deletes and collects at once is killed at random moments. Whatever it acknowledged is there afterwards,
// nothing is half there, and `verify` finds nothing worse than files that nobody knows.
// TEU_REGISTRY_CRASH_ROUNDS says how many kills (default 3), TEU_CRASH_SEED repeats the moments of a run.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { OpenRoot } from "@teu/registry/admin/open-root";
import { verify } from "@teu/registry/admin/verify";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

const ROUNDS = Number(process.env["TEU_REGISTRY_CRASH_ROUNDS"] ?? 3);
const SEED = Number(process.env["TEU_CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const CLIENTS = 4;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

// Its clock runs 20,000 times faster, so that everything grows old within a moment, and it sweeps all the time.
const PROGRAM = `
  import { createScope } from "@teu/base/scope";
  import { serve } from "@teu/registry/serve";
  const [root, base] = process.argv.slice(1);
  const now = () => Number(base) + (Date.now() - base) * 20_000;
  await serve(createScope({ now }), {
    address: "127.0.0.1:0", root, grace: 1_200_000, uploadExpiry: 1e9, sweepInterval: 5, deleteUntagged: true, elapsed: now,
    ready: (registry) => console.log(registry.url),
  });
`;

/** What was acknowledged: manifests by "repository tag", with the contents of their blobs. */
type Acknowledged = Map<string, { readonly body: string; readonly contents: readonly string[] }>;

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly ended: Promise<unknown>;
}

async function start(root: string, base: number): Promise<Server> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, root, String(base)], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: import.meta.dirname,
  });
  const ended = once(child, "close");
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await Promise.race([once(child.stdout ?? child, "data"), ended]);
  return { child, url: text.trim(), ended };
}

/** Pushes and deletes until the server is gone. */
async function client(id: number, url: string, acknowledged: Acknowledged): Promise<void> {
  const repository = `r${id % 2}`;
  const base = `${url}/v2/${repository}`;
  for (let turn = 0; ; turn++) {
    const tag = `t${id}-${turn % 5}`;
    const key = `${repository} ${tag}`;
    const contents = [`config ${turn % 3}`, `layer ${(turn * 7 + id) % 13}`, `own ${id} ${turn} ${"x".repeat(20_000)}`];
    const [config, ...layers] = contents.map((text) => ({
      mediaType: "m/t",
      digest: digestOf(text),
      size: text.length,
    }));
    const body = JSON.stringify({ schemaVersion: 2, config, layers });
    try {
      for (const text of contents) {
        const digest = digestOf(text);
        if ((await rawRequest(`${base}/blobs/${digest}`, { method: "HEAD" })).status === 200) continue;
        await rawRequest(`${base}/blobs/uploads/?digest=${digest}`, { method: "POST", body: text });
      }
      // From here until the answer the tag is at one or the other.
      acknowledged.delete(key);
      const headers = { "content-type": MANIFEST };
      const put = await rawRequest(`${base}/manifests/${tag}`, { method: "PUT", body, headers });
      // Slower than the grace time: the layers were collected, and the push refused.
      if (put.status === 404) continue;
      assert.equal(put.status, 201, put.text);
      acknowledged.set(key, { body, contents });
      if (turn % 3 !== 2) continue;
      acknowledged.delete(key);
      await rawRequest(`${base}/manifests/${digestOf(body)}`, { method: "DELETE" });
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return;
    }
  }
}

async function assertWhole(root: string, base: number, acknowledged: Acknowledged, told: string): Promise<void> {
  const scope = createScope();
  {
    await using opened = await OpenRoot.open(scope, root);
    const { findings } = await verify(scope, opened);
    assert.deepEqual(
      findings.filter(({ kind }) => kind !== "stray-blob" && kind !== "stray-upload"),
      [],
      told,
    );
  }
  const { child, url, ended } = await start(root, base);
  try {
    for (const [key, { body, contents }] of acknowledged) {
      const [repository, tag] = key.split(" ");
      const got = await rawRequest(`${url}/v2/${repository}/manifests/${tag}`);
      assert.deepEqual([got.status, got.text], [200, body], `${told}: ${key}`);
      for (const text of contents) {
        const blob = await rawRequest(`${url}/v2/${repository}/blobs/${digestOf(text)}`);
        assert.ok(blob.status === 200 && blob.text === text, `${told}: ${key}: ${digestOf(text)} ${blob.status}`);
      }
    }
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

test(`registry: killed ${ROUNDS} times while it is used (seed ${SEED})`, async (t) => {
  await using root = await tempRoot();
  const base = Date.now();
  const acknowledged: Acknowledged = new Map();
  let state = SEED;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  for (let round = 0; round < ROUNDS; round++) {
    const { child, url, ended } = await start(root.path, base);
    const clients = Array.from({ length: CLIENTS }, (_, id) => client(id, url, acknowledged));
    const after = 50 + Math.floor(random() * 500);
    await sleep(after);
    child.kill("SIGKILL");
    await ended;
    await Promise.all(clients);
    await assertWhole(root.path, base, acknowledged, `round ${round}, seed ${SEED}, killed after ${after} ms`);
  }
  t.diagnostic(`${acknowledged.size} acknowledged tags at the end`);
});
