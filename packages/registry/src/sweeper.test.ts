import assert from "node:assert/strict";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

import { Registry, type RegistryOptions } from "./registry.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";

/** A registry whose log is read, with a blob that nobody needs, old enough to go, and a tag that moved three times. */
async function setting(options: RegistryOptions): Promise<{
  readonly registry: Registry;
  readonly options: RegistryOptions;
  readonly blob: string;
  logged(message: string): Promise<Record<string, unknown>>;
}> {
  const clock = { now: Date.now() };
  const lines: { message: string; fields: Record<string, unknown> }[] = [];
  const note = (message: string, fields: Record<string, unknown> = {}): void => void lines.push({ message, fields });
  const log = { debug: note, info: note, warn: note, error: note };
  const all: RegistryOptions = {
    ...options,
    scope: createScope({ log, now: () => clock.now }),
    elapsed: () => clock.now,
    grace: 1000,
    sweepInterval: 0,
  };
  const registry = await Registry.listen(all);
  const blob = `${registry.url}/v2/a/blobs/${digestOf("loose")}`;
  const upload = `${registry.url}/v2/a/blobs/uploads/?digest=${digestOf("loose")}`;
  await rawRequest(upload, { method: "POST", body: "loose" });
  for (let n = 0; n < 3; n++) {
    clock.now += 1;
    const body = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [], annotations: { n: `${n}` } });
    const put = { method: "PUT", body, headers: { "content-type": INDEX } };
    assert.equal((await rawRequest(`${registry.url}/v2/a/manifests/t`, put)).status, 201);
  }
  clock.now += 2000;
  const logged = async (message: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const line = lines.find((one) => one.message === message);
      if (line !== undefined) return line.fields;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { registry, options: all, blob, logged };
}

test("Sweeper: another interval counts from the change on; a dry run cleans nothing and says what would go", async () => {
  await using root = await tempRoot();
  const { registry, options, blob, logged } = await setting({ root: root.path });
  await using _ = registry;
  const history = { keepLatest: 1 };
  const changed = { ...options, history, sweepInterval: 10, dryRun: true };
  assert.deepEqual(await registry.reconfigure(changed), []);
  const { blobs, bytes, changes } = await logged("a sweep would remove");
  assert.deepEqual([blobs, bytes, changes], [1, 5, 2]);
  const { metadata } = registry.storages;
  assert.equal((await metadata.tagHistory(createScope(), "a", "t", 10)).length, 3);
  assert.equal(await metadata.hasBlob(createScope(), "a", digestOf("loose")), true);
  await registry.reconfigure({ ...changed, dryRun: false });
  while (await metadata.hasBlob(createScope(), "a", digestOf("loose")))
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await rawRequest(blob)).status, 404);
  assert.equal((await metadata.tagHistory(createScope(), "a", "t", 10)).length, 1);
});

test("Sweeper: no interval is too long for a timer", async () => {
  const { registry, options } = await setting({});
  await using _ = registry;
  await registry.reconfigure({ ...options, sweepInterval: 365 * 86_400_000 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await registry.storages.metadata.hasBlob(createScope(), "a", digestOf("loose")), true);
});

test("Sweeper: changes of tags stay that are young, or among the latest", async () => {
  const { registry, options } = await setting({});
  await using _ = registry;
  assert.equal((await registry.sweep()).changes, 0);
  await registry.reconfigure({ ...options, history: { within: 10_000 } });
  assert.equal((await registry.sweep()).changes, 0);
  await registry.reconfigure({ ...options, history: { keepLatest: 2 } });
  assert.equal((await registry.sweep()).changes, 1);
  await registry.reconfigure({ ...options, history: { within: 1000 } });
  assert.equal((await registry.sweep()).changes, 1);
});
