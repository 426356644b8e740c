import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { parseReference, withDigest } from "@teu/image/reference";
import { MEDIA_TYPES, parseIndex } from "@teu/specs/image";
import { indexOfList, type ListMember, ManifestLists } from "./manifest-lists.ts";

const scope = createScope();
const NAME = parseReference("localhost:5000/app:v1");

function member(tag: string, architecture?: string, mediaType: string = MEDIA_TYPES.manifest): ListMember {
  return {
    reference: parseReference(`localhost:5000/app:${tag}`),
    descriptor: {
      mediaType,
      digest: digestOf(tag),
      size: tag.length,
      ...(architecture === undefined ? {} : { platform: { os: "linux", architecture } }),
    },
  };
}

async function withLists(body: (lists: ManifestLists, directory: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "teu-lists-"));
  try {
    await body(new ManifestLists(root), join(root, "manifest-lists"));
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

test("ManifestLists: created once, amended, removed", async () => {
  await withLists(async (lists, directory) => {
    assert.equal(await lists.find(scope, NAME), null);
    await lists.create(scope, { name: NAME, members: [member("amd", "amd64")] }, { amend: false });
    await assert.rejects(
      lists.create(scope, { name: NAME, members: [member("arm", "arm64")] }, { amend: false }),
      (error) => isTeuError(error, "already-exists"),
    );
    await lists.create(scope, { name: NAME, members: [member("arm"), member("amd", "amd64")] }, { amend: true });
    const { members } = await lists.get(scope, NAME);
    assert.deepEqual(members, [member("arm"), member("amd", "amd64")]);
    await lists.remove(scope, NAME);
    for (const gone of [lists.get(scope, NAME), lists.remove(scope, NAME)])
      await assert.rejects(gone, (error) => isTeuError(error, "not-found"));
    assert.deepEqual(await readdir(directory), ["lock"]);
  });
});

test("ManifestLists.annotate: by reference or digest; a platform is whole", async () => {
  await withLists(async (lists) => {
    await lists.create(scope, { name: NAME, members: [member("amd", "amd64"), member("arm")] }, { amend: false });
    await lists.annotate(scope, NAME, member("amd").reference, { variant: "v2" });
    await assert.rejects(lists.annotate(scope, NAME, member("arm").reference, { variant: "v7" }), (error) =>
      isTeuError(error, "invalid"),
    );
    const byDigest = withDigest(NAME, digestOf("arm"));
    await lists.annotate(scope, NAME, byDigest, { os: "linux", architecture: "arm", variant: "v7" });
    await assert.rejects(lists.annotate(scope, NAME, parseReference("other"), {}), (error) =>
      isTeuError(error, "not-found"),
    );
    assert.deepEqual(
      (await lists.get(scope, NAME)).members.map(({ descriptor }) => descriptor.platform),
      [
        { os: "linux", architecture: "amd64", variant: "v2" },
        { os: "linux", architecture: "arm", variant: "v7" },
      ],
    );
  });
});

test("ManifestLists: two writers lose nothing, a damaged file is named", async () => {
  await withLists(async (lists, directory) => {
    const tags = Array.from({ length: 8 }, (_, index) => `t${index}`);
    await Promise.all(tags.map((tag) => lists.create(scope, { name: NAME, members: [member(tag)] }, { amend: true })));
    assert.equal((await lists.get(scope, NAME)).members.length, 8);
    const [file = ""] = (await readdir(directory)).filter((name) => name.endsWith(".json"));
    for (const text of [
      "{",
      "null",
      "{}",
      '{"members":[null]}',
      '{"members":[{"reference":"a","descriptor":{"digest":"../x"}}]}',
    ]) {
      await writeFile(join(directory, file), text);
      await assert.rejects(lists.get(scope, NAME), (error) => isTeuError(error, "corrupt"), text);
    }
    // Removing is the way out.
    await lists.remove(scope, NAME);
    assert.equal(await lists.find(scope, NAME), null);
  });
});

test("indexOfList: Docker's kind when all are, else OCI's", () => {
  const docker = [member("a", "amd64", MEDIA_TYPES.dockerManifest), member("b", "arm64", MEDIA_TYPES.dockerManifest)];
  assert.equal(indexOfList({ name: NAME, members: docker }).mediaType, MEDIA_TYPES.dockerManifestList);
  const mixed = indexOfList({ name: NAME, members: [...docker, member("c", "s390x")] });
  assert.equal(mixed.mediaType, MEDIA_TYPES.index);
  assert.equal(parseIndex(mixed.bytes).manifests.length, 3);
  assert.equal(parseIndex(indexOfList({ name: NAME, members: [] }).bytes).manifests.length, 0);
});

test("ManifestLists: what a killed writer left goes with the next write, and with a sweep", () =>
  withLists(async (lists, directory) => {
    const write = (): Promise<unknown> => lists.create(scope, { name: NAME, members: [] }, { amend: true });
    await write();
    const left = `.${"0".repeat(64)}.json.0123456789ab`;
    for (const again of [write, () => lists.sweep(scope)]) {
      await writeFile(join(directory, left), "{");
      await again();
      assert.ok(!(await readdir(directory)).includes(left));
    }
    assert.deepEqual((await lists.get(scope, NAME)).members, []);
  }));
