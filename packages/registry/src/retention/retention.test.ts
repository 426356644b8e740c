import assert from "node:assert/strict";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import type { TagUse } from "@teu/distribution/server/metadata-storage";
import { digestOf } from "@teu/image/digest";

import { SqliteMetadata } from "../metadata/sqlite-metadata.ts";
import { applyRetention } from "./apply-retention.ts";
import { expiredTags, type RetentionRule } from "./retention-rules.ts";

const NOW = 1000;
const TAGS: readonly TagUse[] = [
  { tag: "latest", digest: digestOf("a"), pushedAt: 900, pulledAt: 990 },
  { tag: "v1", digest: digestOf("b"), pushedAt: 100, pulledAt: null },
  { tag: "v2", digest: digestOf("c"), pushedAt: 200, pulledAt: 950 },
  { tag: "ci-1", digest: digestOf("d"), pushedAt: 300, pulledAt: null },
];

const CASES: readonly (readonly [rules: readonly RetentionRule[], expired: readonly string[]])[] = [
  [[], []],
  [[{ repositories: ["other/*"], keepLatest: 1 }], []],
  [[{ repositories: ["**"] }], []],
  [[{ repositories: ["**"], keepTags: ["v*", "latest"] }], ["ci-1"]],
  [[{ repositories: ["team/*"], keepLatest: 2 }], ["v1", "v2"]],
  [[{ repositories: ["**"], keepLatest: 0 }], ["latest", "v1", "v2", "ci-1"]],
  [[{ repositories: ["**"], pushedWithin: 700 }], ["v1", "v2"]],
  [[{ repositories: ["**"], pulledWithin: 20 }], ["v1", "v2", "ci-1"]],
  [[{ repositories: ["**"], pulledWithin: 60, pushedWithin: 700, keepTags: ["v1"] }], []],
  [
    [
      { repositories: ["**"], keepLatest: 0 },
      { repositories: ["team/app"], keepTags: ["*"] },
    ],
    [],
  ],
];

test("expiredTags: what no line keeps goes", () => {
  for (const [rules, expired] of CASES)
    assert.deepEqual(
      expiredTags(rules, "team/app", TAGS, NOW).map(({ tag }) => tag),
      expired,
      JSON.stringify(rules),
    );
});

test("expiredTags: immutable tags stay; those of signatures stay with what they belong to, and take nobody's place", () => {
  const rules = [{ repositories: ["**"], keepLatest: 1 }];
  const signature = (text: string, hasSubject: boolean): TagUse => {
    const tag = `${digestOf(text).replace(":", "-")}.sig`;
    return { tag, digest: digestOf(tag), pushedAt: 999, pulledAt: null, hasSubject };
  };
  const [kept, lost] = [signature("a", true), signature("gone", false)];
  const expired = expiredTags(rules, "team/app", [...TAGS, kept, lost], NOW, (tag) => tag.startsWith("v"));
  assert.deepEqual(
    expired.map(({ tag }) => tag),
    ["ci-1", lost.tag],
  );
});

test("applyRetention: each tag has its own age; immutable tags and living signatures stay", async () => {
  const clock = { now: NOW };
  const scope = createScope({ now: () => clock.now });
  await using metadata = SqliteMetadata.open(":memory:");
  const put = async (text: string, tag: string): Promise<void> => {
    clock.now += 10;
    const manifest = { digest: digestOf(text), mediaType: "m/t", bytes: Buffer.from(text), references: [] };
    await metadata.putManifest(scope, "a", { manifest, tags: [tag] });
  };
  const [living, dead] = ["same", "gone"].map((text) => `${digestOf(text).replace(":", "-")}.sig`) as [string, string];
  for (const tag of ["a", "b", "c", "d"]) await put("same", tag);
  await put("fixed", "v1");
  await put("signature of same", living);
  await put("signature of what is gone", dead);
  // Pushed once more where it points: young again.
  await put("same", "b");
  const immutable = [{ repositories: ["**"], tags: ["v*"] }];
  const gone = await applyRetention(scope, metadata, { rules: [{ repositories: ["a"], keepLatest: 3 }], immutable });
  assert.deepEqual(
    gone.map(({ tag }) => tag),
    ["a", "c", dead],
  );
  assert.deepEqual(await metadata.listTags(scope, "a", { limit: 10 }), ["b", "d", living, "v1"]);
  assert.equal((await metadata.tagHistory(scope, "a", "b", 10)).length, 1, "pushing it again is no change");
});

test("applyRetention: says what would go, removes it, and it can be brought back", async () => {
  const clock = { now: NOW };
  const scope = createScope({ now: () => clock.now });
  await using metadata = SqliteMetadata.open(":memory:");
  const manifestOf = (text: string): Parameters<SqliteMetadata["putManifest"]>[2]["manifest"] => ({
    digest: digestOf(text),
    mediaType: "m/t",
    bytes: Buffer.from(text),
    references: [],
  });
  for (const name of ["one", "two", "three"]) {
    clock.now += 10;
    await metadata.putManifest(scope, "a", { manifest: manifestOf(name), tags: [name] });
  }
  // Pushed again: as young as that.
  clock.now += 10;
  await metadata.putManifest(scope, "a", { manifest: manifestOf("one"), tags: ["one"] });
  const rules = [{ repositories: ["a"], keepLatest: 2 }];
  const plan = await applyRetention(scope, metadata, { rules, dryRun: true });
  assert.deepEqual(
    plan.map(({ repository, tag }) => `${repository}:${tag}`),
    ["a:two"],
  );
  assert.equal((await metadata.listTags(scope, "a", { limit: 10 }))?.length, 3);
  assert.deepEqual(await applyRetention(scope, metadata, { rules }), plan);
  assert.deepEqual(await metadata.listTags(scope, "a", { limit: 10 }), ["one", "three"]);
  await metadata.restoreTag(scope, "a", "two", digestOf("two"));
  assert.equal((await metadata.findManifest(scope, "a", { tag: "two" }))?.digest, digestOf("two"));
});
