import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";

import { OnDemandContent } from "./on-demand-content.ts";

test("OnDemandContent: makes nothing for a reader, and everything for a writer", async () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-content-"));
  try {
    const scope = createScope({});
    const place = join(directory, "content");
    const content = new OnDemandContent(place);
    const bytes = Buffer.from("what is written");
    const digest = digestOf(bytes);
    assert.equal(await content.info(scope, digest), null);
    await assert.rejects(content.readAll(scope, digest, 100), { code: "not-found" });
    assert.equal(existsSync(place), false);
    {
      await using ingest = await content.ingest(scope, "key", { digest });
      await ingest.write(bytes);
      await ingest.commit();
    }
    assert.deepEqual(Buffer.from(await content.readAll(scope, digest, 100)), bytes);
    assert.equal(existsSync(content.path(digest) ?? ""), true);
    const all = await Array.fromAsync(content.list(scope));
    assert.deepEqual(all, [{ digest, size: bytes.length }]);
    assert.equal(await content.delete(scope, digest), true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
