// The programs of examples/library do what their first lines say. They run as users run them, against our registry.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { createScope } from "@teu/base/scope";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { formatPlatform, hostPlatform } from "@teu/image/platform";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { Registry } from "@teu/registry/registry";
import { randomImage, randomIndex } from "@teu/testkit/random-image";
import { tempRoot, type TempRoot } from "@teu/testkit/temp-root";

const EXAMPLES = new URL("../../examples/library/", import.meta.url).pathname;
const scope = createScope();
let root: TempRoot;
let registry: Registry;
let digest: string;
before(async () => {
  root = await tempRoot();
  registry = await Registry.listen({ root: root.join("registry") });
  const store = new MemoryContentStore();
  const { descriptor } = await randomIndex(scope, store, [hostPlatform(), { os: "linux", architecture: "s390x" }]);
  ({ digest } = descriptor);
  const subject = { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size };
  const referrer = await randomImage(scope, store, { subject, layers: 1 });
  await using client = new RegistryClient();
  await pushImage(scope, { client, reference: parseReference(`${registry.address}/app:v1`), store, descriptor });
  const reference = parseReference(`${registry.address}/app@${referrer.descriptor.digest}`);
  await pushImage(scope, { client, reference, store, descriptor: referrer.descriptor });
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  await root[Symbol.asyncDispose]();
});

async function run(example: string, ...args: readonly string[]): Promise<string[]> {
  const env = { PATH: process.env["PATH"], HOME: root.path, TMPDIR: root.path };
  const options = { env, timeout: 60_000 };
  const { stdout } = await promisify(execFile)(process.execPath, [`${EXAMPLES}${example}`, ...args], options);
  return stdout.trim().split("\n");
}

test("list-files: every file with mode and size, of the platform that is asked for", async () => {
  const lines = await run("list-files.ts", `${registry.address}/app:v1`);
  assert.deepEqual(lines, ["0644       2000 /file-0", "0644       2000 /file-1"]);
  assert.deepEqual(await run("list-files.ts", `${registry.address}/app:v1`, "linux/s390x"), lines);
});

test("add-layer: a directory on top of an image, one layer uploaded", async () => {
  await mkdir(root.join("site"));
  await writeFile(root.join("site/index.html"), "hello\n");
  const [line = ""] = await run(
    "add-layer.ts",
    `${registry.address}/app:v1`,
    root.join("site"),
    "/srv",
    `${registry.address}/app:site`,
  );
  assert.match(line, /^sha256:[0-9a-f]{64} 2 uploaded, 2 there already$/);
  const files = await run("list-files.ts", `${registry.address}/app:site`, formatPlatform(hostPlatform()));
  assert.deepEqual(files.slice(-2), ["0755          0 /srv/", "0644          6 /srv/index.html"]);
});

test("copy-image: all platforms and what refers to the image", async () => {
  const [line = ""] = await run("copy-image.ts", `${registry.address}/app:v1`, `${registry.address}/mirror/app:v1`);
  assert.equal(line, `${digest} 4 manifests, 1 of them refer to others`);
});

for (const example of ["list-files.ts", "add-layer.ts", "copy-image.ts"]) {
  test(`${example}: without its arguments it says what it wants, and does nothing`, async () => {
    await assert.rejects(run(example), (error: { code?: unknown; stderr?: unknown }) => {
      assert.equal(error.code, 2);
      assert.match(String(error.stderr), /^usage: node examples\/library\//);
      return true;
    });
  });
}
