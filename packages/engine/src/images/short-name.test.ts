import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { isTeuError, TeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import type { Digest } from "@teu/image/digest";
import { referenceText } from "@teu/image/reference";
import { tempRoot } from "@teu/testkit/temp-root";

import { Database } from "../store/database.ts";
import { putImage, putImageName } from "../store/image-rows.ts";
import { firstMeaning, nameHere } from "./short-name.ts";

const scope = createScope();
const CONF = `unqualified-search-registries = ["one.example", "two.example"]
[aliases]
fedora = "registry.fedoraproject.org/fedora"`;

async function withConf(t: TestContext, text: string): Promise<AsyncDisposable> {
  const root = await tempRoot();
  await writeFile(root.join("registries.conf"), text);
  const before = process.env["CONTAINERS_REGISTRIES_CONF"];
  process.env["CONTAINERS_REGISTRIES_CONF"] = root.join("registries.conf");
  t.after(() => {
    if (before === undefined) delete process.env["CONTAINERS_REGISTRIES_CONF"];
    else process.env["CONTAINERS_REGISTRIES_CONF"] = before;
  });
  return root;
}

test("firstMeaning: goes on where a registry does not have it or cannot be reached, and stops at other errors", async (t) => {
  await using _ = await withConf(t, CONF);
  const run = async (text: string, code: "not-found" | "unavailable" | "corrupt"): Promise<string[]> => {
    const asked: string[] = [];
    const attempt = firstMeaning(scope, text, async (reference) => {
      asked.push(referenceText(reference));
      if (reference.domain !== "two.example") throw new TeuError({ code, op: "pull", message: "no" });
    });
    await attempt.catch((error: unknown) => asked.push(isTeuError(error) ? error.code : String(error)));
    return asked;
  };
  assert.deepEqual(await run("app:1", "not-found"), ["one.example/app:1", "two.example/app:1"]);
  assert.deepEqual(await run("app:1", "unavailable"), ["one.example/app:1", "two.example/app:1"]);
  assert.deepEqual(await run("app:1", "corrupt"), ["one.example/app:1", "corrupt"]);
  assert.deepEqual(await run("fedora", "not-found"), ["registry.fedoraproject.org/fedora:latest", "not-found"]);
  assert.deepEqual(await run("r.example/app:1", "not-found"), ["r.example/app:1", "not-found"]);
});

test("nameHere: a short name finds what it was pulled as; what is here by Docker's rule comes first", async (t) => {
  await using _ = await withConf(t, CONF);
  using db = Database.open(":memory:");
  const id = `sha256:${"a".repeat(64)}` as Digest;
  const manifest = { mediaType: "m", digest: id, size: 1 };
  const platform = { os: "linux", architecture: "amd64" };
  putImage(db, { id, manifest, platform, chainId: null, blobs: [], size: 0, createdAt: 0 }, 0);
  for (const name of [
    "registry.fedoraproject.org/fedora:latest",
    "two.example/app:1",
    "docker.io/library/both:latest",
    "one.example/both:latest",
  ])
    putImageName(db, name, id, manifest, 0);
  assert.equal(await nameHere(db, "fedora"), "registry.fedoraproject.org/fedora:latest");
  assert.equal(await nameHere(db, "app:1"), "two.example/app:1");
  for (const same of ["app:2", "both", "two.example/app:1", "aaa", "UPPER", id])
    assert.equal(await nameHere(db, same), same);
});
