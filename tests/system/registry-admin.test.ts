// The commands that look after a registry's directory, beside `teu registry serve`; and docker-registry's directory taken over.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { createScope } from "@teu/base/scope";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { digestOf } from "@teu/image/digest";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";
import { randomImage, randomIndex } from "@teu/testkit/random-image";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

const TEU = new URL("../../bin/teu", import.meta.url).pathname;
const SKOPEO = "/usr/bin/skopeo";
const scope = createScope();
const run = promisify(execFile);
const skip = existsSync(TEU) ? false : "bin/teu is not built";
const PLATFORMS = ["amd64", "arm64"].map((architecture) => ({ os: "linux", architecture }));

async function teu(...args: readonly string[]): Promise<string> {
  return (await run(TEU, ["registry", ...args])).stdout.trim();
}

interface Serving extends AsyncDisposable {
  readonly url: string;
  readonly address: string;
}

async function serve(root: string): Promise<Serving> {
  const child = spawn(TEU, ["registry", "serve", "--addr", "127.0.0.1:0", "--root", root], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  let text = "";
  await new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n")) resolve();
    });
  });
  const url = /listening on (\S+)/.exec(text)?.[1] ?? "";
  return {
    url,
    address: url.replace("http://", ""),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function digestAt(url: string, name: string, reference: string): Promise<unknown> {
  const answer = await rawRequest(`${url}/v2/${name}/manifests/${reference}`);
  return answer.status === 200 ? answer.headers["docker-content-digest"] : answer.status;
}

test("registry: deleting, undoing, collecting, verifying, saving, all beside the server", { skip }, async () => {
  await using directory = await tempRoot();
  const root = directory.join("registry");
  await using served = await serve(root);
  await using client = new RegistryClient();
  const store = new MemoryContentStore();
  const push = async (tag: string): Promise<string> => {
    const { descriptor } = await randomImage(scope, store, { seed: tag });
    const reference = parseReference(`${served.address}/team/app:${tag}`);
    await pushImage(scope, { client, reference, store, descriptor });
    return descriptor.digest;
  };
  const one = await push("one");
  const two = await push("two");
  const { url } = served;
  // The same tag twice, and back.
  const body = (await rawRequest(`${url}/v2/team/app/manifests/two`)).text;
  const type = "application/vnd.oci.image.manifest.v1+json";
  const put = { method: "PUT", body, headers: { "content-type": type } };
  assert.equal((await rawRequest(`${url}/v2/team/app/manifests/one`, put)).status, 201);
  assert.match(await teu("tags", "history", "--root", root, "team/app:one"), new RegExp(`${two}\\n.*${one}`));
  await teu("tags", "rollback", "--root", root, "team/app:one");
  assert.equal(await digestAt(url, "team/app", "one"), one);

  await rawRequest(`${url}/v2/team/app/manifests/${two}`, { method: "DELETE" });
  assert.equal(await digestAt(url, "team/app", "two"), 404);
  assert.match(await teu("undelete", "--root", root, "team/app"), new RegExp(two));
  assert.equal(await teu("undelete", "--root", root, `team/app@${two}`), `manifest team/app@${two}\ntag team/app:two`);
  assert.equal(await digestAt(url, "team/app", "two"), two);
  await rawRequest(`${url}/v2/team/app/manifests/two`, { method: "DELETE" });
  // A tag that went alone is listed too, though its manifest is there.
  assert.match(await teu("undelete", "--root", root, "team/app"), new RegExp(`^two  .*  ${two}$`));
  const lost = JSON.parse(await teu("undelete", "--root", root, "--json", "team/app")) as Record<string, unknown[]>;
  assert.deepEqual(lost["manifests"], []);
  assert.deepEqual(
    (lost["tags"] as { tag: string; digest: string }[]).map(({ tag, digest }) => [tag, digest]),
    [["two", two]],
  );
  assert.equal(await teu("undelete", "--root", root, "team/app:two"), "tag team/app:two");

  // Nobody refers to this; a grace of nothing is over at once.
  const loose = `${url}/v2/team/app/blobs/uploads/?digest=${digestOf("loose")}`;
  assert.equal((await rawRequest(loose, { method: "POST", body: "loose" })).status, 201);
  const plan = JSON.parse(await teu("gc", "--root", root, "--dry-run", "--json")) as Record<
    "now" | "later",
    { bytes: number }
  >;
  assert.deepEqual([plan.now.bytes, plan.later.bytes], [0, 5]);
  assert.match(await teu("gc", "--root", root, "--grace", "0"), /removed 5B: 0 manifests, 1 blobs/);
  assert.match(await teu("verify", "--root", root), /: 0 errors, 0 warnings$/);

  await teu("backup", "--root", root, directory.join("backup"));
  assert.match(await teu("backup", "--root", root, directory.join("backup")), /^copied 0 blobs/);
  await teu("restore", "--root", directory.join("restored"), directory.join("backup"));
  {
    await using again = await serve(directory.join("restored"));
    assert.equal(await digestAt(again.url, "team/app", "two"), two);
  }
  await assert.rejects(teu("serve", "--addr", "127.0.0.1:0", "--root", root), /another registry is serving/);
  await teu("export", "--root", root, "--to", directory.join("layout"));
  await teu("export", "--root", root, "--archive", directory.join("app.tar"), "team/app");
  if (existsSync(SKOPEO)) {
    const inspect = async (name: string): Promise<string> =>
      digestOf((await run(SKOPEO, ["inspect", "--raw", name], { encoding: "buffer" })).stdout);
    assert.equal(await inspect(`oci:${directory.join("layout")}:team/app:two`), two);
    assert.equal(await inspect(`oci-archive:${directory.join("app.tar")}:team/app:one`), one);
  }
  for (const [args, message] of [
    [
      ["export", "--root", root, "--to", directory.join("none"), "team/nothing"],
      /"team\/nothing": the registry in .* has no such repository/,
    ],
    [
      ["export", "--root", root, "--to", directory.join("none"), "team/app:two"],
      /names one image.*whole repositories/s,
    ],
    [["tags", "history", "--root", root, "team/app:never"], /"team\/app:never": nothing is known of such a tag/],
    [["undelete", "--root", root, "team/nothing"], /has no such repository/],
    [
      ["import", "--root", root, directory.join("registry/blobs")],
      /neither an OCI layout .* nor docker-registry's rootdirectory/,
    ],
    [["backup", "--root", root, directory.join("layout")], /which is no backup/],
  ] as const)
    await assert.rejects(teu(...args), (error) => message.test((error as { stderr: string }).stderr), args.join(" "));
  assert.equal(existsSync(directory.join("none")), false);
  await teu("import", "--root", directory.join("imported"), directory.join("layout"));
  await teu("import", "--root", directory.join("from-archive"), directory.join("app.tar"));
  assert.match(await teu("verify", "--root", directory.join("from-archive")), / 0 errors, 0 warnings$/);
  assert.match(await teu("gc", "--root", root, "--history-latest", "1", "--grace", "0"), / \d+ changes of tags/);
  assert.match(await teu("verify", "--root", directory.join("imported")), /^2 manifests, .* 0 errors, 0 warnings$/);
  const config = directory.join("registry.json");
  await writeFile(config, JSON.stringify({ root, storage: { retention: [{ repositories: ["**"], keepLatest: 9 }] } }));
  assert.deepEqual(JSON.parse(await teu("retention", "--config", config, "--json")), []);
  for (const [verb, ...args] of [
    ["undelete", "team/app:two"],
    ["tags", "history", "team/app:one"],
    ["verify"],
    ["backup", directory.join("backup")],
    ["export", "--to", directory.join("layout-json")],
    ["import", directory.join("layout")],
  ] as const)
    assert.ok(typeof JSON.parse(await teu(verb, "--root", root, "--json", ...args)) === "object", verb);
});

test(
  "registry import: docker-registry's directory, digest for digest",
  { skip: skip === false ? noDockerRegistry() : skip },
  async () => {
    await using directory = await tempRoot();
    await using peer = await DockerRegistry.start({ parent: directory.path });
    await using client = new RegistryClient();
    const store = new MemoryContentStore();
    const images = {
      "plain:1": await randomImage(scope, store, { seed: "a" }),
      "team/app:docker": await randomImage(scope, store, { seed: "b", docker: true }),
      "team/app/deep:list": await randomIndex(scope, store, PLATFORMS, { seed: "c", docker: true }),
      "team/app:gone": await randomImage(scope, store, { seed: "d" }),
    };
    for (const [name, { descriptor }] of Object.entries(images))
      await pushImage(scope, { client, reference: parseReference(`${peer.address}/${name}`), store, descriptor });
    const gone = images["team/app:gone"].descriptor.digest;
    await rawRequest(`${peer.url}/v2/team/app/manifests/${gone}`, { method: "DELETE" });

    const root = directory.join("ours");
    await using served = await serve(root);
    const first = await teu("import", "--root", root, peer.data);
    assert.match(first, /^imported 5 manifests, 3 tags, /);
    assert.match(
      await teu("import", "--root", root, join(peer.data, "docker/registry/v2")),
      /^imported 0 manifests, 0 tags, 0 blobs/,
    );
    for (const [name, { descriptor }] of Object.entries(images)) {
      const [repository = "", tag = ""] = name.split(":");
      const headers = { accept: descriptor.mediaType };
      const [theirs, ours] = [peer.url, served.url].map((url) =>
        rawRequest(`${url}/v2/${repository}/manifests/${tag}`, { headers }),
      );
      const [answer, wanted] = [await ours, await theirs];
      if (tag === "gone") {
        assert.equal(answer?.status, 404);
        continue;
      }
      assert.equal(answer?.headers["docker-content-digest"], descriptor.digest);
      assert.deepEqual(
        [answer?.text, answer?.headers["content-type"]],
        [wanted?.text, wanted?.headers["content-type"]],
      );
    }
    assert.match(await teu("verify", "--root", root), /: 0 errors, 0 warnings$/);
    if (existsSync(SKOPEO))
      await run(SKOPEO, [
        "--insecure-policy",
        "copy",
        "--all",
        "--src-tls-verify=false",
        `docker://${served.address}/team/app/deep:list`,
        `oci:${directory.join("copy")}:list`,
      ]);
  },
);
