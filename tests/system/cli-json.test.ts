// What commands on images say to programs: one JSON value on stdout, and exit codes that say how it ended. Every command has it that has
// something to tell.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Registry } from "@teu/registry/registry";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
let registry: Registry;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen();
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

/** What a command says, which must be one value that is JSON, and nothing else. */
async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const outcome = await host.teu([...args.slice(0, 2), "--format", "json", ...args.slice(2)], { cwd: host.directory });
  assert.equal(outcome.code, 0, `${args.join(" ")}: ${outcome.stderr}`);
  assert.doesNotMatch(outcome.stderr, /Pushed|Copied|complete/, args.join(" "));
  return JSON.parse(outcome.stdout) as Record<string, unknown>;
}

test("--format json: from push to prune, each command's own facts", { skip }, async () => {
  const name = `${registry.address}/json/app:v1`;
  const keys = async (wanted: readonly string[], ...args: readonly string[]): Promise<Record<string, unknown>> => {
    const value = await json(...args);
    assert.deepEqual(Object.keys(value), wanted, args.join(" "));
    return value;
  };
  await host.ok(["tag", "base", name]);
  const pushed = await keys(["reference", "digest", "mediaType", "size"], "image", "push", name);
  const removed = await keys(["untagged", "deleted"], "image", "rm", name);
  assert.deepEqual(removed["untagged"], [name, `${registry.address}/json/app@${String(pushed["digest"])}`]);
  const pulled = await keys(
    ["id", "names", "repoDigests", "digest", "mediaType", "platform", "size"],
    "image",
    "pull",
    name,
  );
  assert.equal(pulled["digest"], pushed["digest"]);
  await host.ok(["save", "-o", join(host.directory, "json.tar"), name]);
  const loaded = await keys(["images"], "image", "load", "-i", "json.tar");
  assert.deepEqual((loaded["images"] as { names: string[] }[])[0]?.names, [name]);
  const container = await host.ok(["create", "--network", "none", "base", "true"]);
  await host.ok(["export", "-o", join(host.directory, "tree.tar"), container]);
  await keys(["id", "destination", "digest", "mediaType", "size"], "image", "import", "tree.tar", "json:imported");
  await host.ok(["manifest", "create", `${registry.address}/json/list:v1`, name]);
  const list = await keys(
    ["reference", "digest", "mediaType", "size"],
    "manifest",
    "push",
    `${registry.address}/json/list:v1`,
  );
  assert.equal(list["digest"], await host.ok(["digest", `${registry.address}/json/list:v1`]));
  await host.ok(["copy", "containers:base", `oci:${join(host.directory, "layout")}:v1`]);
  assert.deepEqual(
    JSON.parse(await host.ok(["delete", "--format", "json", `oci:${join(host.directory, "layout")}:v1`])),
    {
      deleted: [`oci:${join(host.directory, "layout")}:v1`],
    },
  );
  const mounted = await json("image", "mount", "base");
  assert.deepEqual(await keys(["unmounted"], "image", "unmount", "base"), { unmounted: [mounted["Path"]] });
  await host.ok(["rm", container]);
  await keys(["containers", "images", "layers", "blobs", "volumes", "reclaimed"], "system", "prune", "-f");
});

const WITHOUT_IMAGE: readonly (readonly string[])[] = [
  ["pull"],
  ["push"],
  ["rmi"],
  ["save", "-o", "never.tar"],
  ["history"],
  ["image", "inspect"],
  ["image", "tree"],
  ["image", "mount"],
  ["image", "unmount"],
  ["digest"],
  ["manifest", "inspect"],
];

test("exit codes: 1 for what is not there, 125 for what cannot be meant, on one line each", { skip }, async () => {
  const absent = `${registry.address}/absent:v1`;
  for (const args of WITHOUT_IMAGE) {
    const missing = await host.teu([...args, absent], { cwd: host.directory });
    assert.equal(missing.code, 1, `${args.join(" ")}: ${missing.stderr}`);
    assert.equal(missing.stderr.split("\n").filter((line) => line.startsWith("teu: ")).length, 1, missing.stderr);
    const wrong = await host.teu([...args, "--no-such-flag", absent], { cwd: host.directory });
    assert.equal(wrong.code, 125, args.join(" "));
  }
  for (const args of [
    ["pull", "--format", "yaml", absent],
    ["push", "--format", "yaml", absent],
    ["load", "--format", "yaml", "-i", "x"],
    ["rmi", "--format", "yaml", absent],
    ["delete", "--format", "yaml", absent],
    ["system", "prune", "-f", "--format", "yaml"],
  ])
    assert.equal((await host.teu(args)).code, 125, args.join(" "));
  // Of several names the others are done, and said, and the exit code tells of the one that failed.
  await host.ok(["tag", "base", "json:one"]);
  const some = await host.teu(["rmi", "--format", "json", "json:absent", "json:one"]);
  assert.equal(some.code, 1);
  assert.deepEqual(JSON.parse(some.stdout), { untagged: ["json:one"], deleted: [] });
  assert.match(some.stderr, /json:absent/);
  writeFileSync(join(host.directory, "no-archive"), "x".repeat(4096));
  const load = await host.teu(["load", "--format", "json", "-i", join(host.directory, "no-archive")]);
  assert.deepEqual([load.code, load.stdout], [1, ""]);
});
