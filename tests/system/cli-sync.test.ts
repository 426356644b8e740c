// teu sync as people type it: lists as skopeo has them, from our registry to registries, directories and layouts.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Registry } from "@teu/registry/registry";

import { CliHost, UNABLE } from "./cli-harness.ts";

const SKOPEO = "/usr/bin/skopeo";
const run = promisify(execFile);
const skip = UNABLE;
const skipPeer = UNABLE ?? (existsSync(SKOPEO) ? undefined : `${SKOPEO} is not installed`);
let host: CliHost;
let registry: Registry;
let list: string;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen();
  for (const name of ["a/app:1.0", "a/app:1.1", "a/app:edge", "b/tool:v1", "b/tool:v2", "c/multi:amd64"])
    await host.ok(["copy", "-q", "containers:base", `${registry.address}/${name}`]);
  const multi = `${registry.address}/c/multi`;
  await host.ok(["manifest", "create", `${multi}:v1`, `${multi}:amd64`]);
  await host.ok(["manifest", "push", "--purge", `${multi}:v1`]);
  list = yaml("list", "    images: {b/tool: [], c/multi: [v1]}\n    images-by-semver: {a/app: '>= 1.1'}\n");
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

/** A list about the registry. */
function yaml(name: string, body: string): string {
  const file = join(host.directory, `${name}.yaml`);
  writeFileSync(file, `"${registry.address}":\n    tls-verify: false\n${body}`);
  return file;
}

interface Report {
  readonly images: readonly {
    readonly source: string;
    readonly destination?: string;
    readonly status: string;
    readonly error?: Readonly<Record<string, unknown>>;
  }[];
  readonly copied: number;
  readonly present: number;
  readonly planned: number;
  readonly failed: number;
  readonly bytes: number;
}

async function report(...args: readonly string[]): Promise<{ readonly code: number | null; readonly report: Report }> {
  const { code, stdout, stderr } = await host.teu(["sync", "--format", "json", ...args]);
  assert.match(stdout, /^\{/, stderr);
  return { code, report: JSON.parse(stdout) as Report };
}

test("sync: to a registry: planned, copied, and the second time nothing is sent", { skip }, async () => {
  const target = `docker://${registry.address}/mirror`;
  const planned = await report("--dry-run", list, target);
  assert.deepEqual([planned.code, planned.report.planned, planned.report.copied], [0, 4, 0]);
  assert.equal((await host.teu(["ls", `${registry.address}/mirror/app`])).code, 1);
  const first = await report(list, target);
  assert.deepEqual([first.code, first.report.copied, first.report.failed], [0, 4, 0]);
  const place = (name: string): string => `docker://${registry.address}/mirror/${name}`;
  assert.deepEqual(first.report.images.map(({ destination }) => destination).toSorted(), [
    place("app:1.1"),
    place("multi:v1"),
    place("tool:v1"),
    place("tool:v2"),
  ]);
  for (const [from, to] of [
    ["a/app:1.1", "app:1.1"],
    ["c/multi:v1", "multi:v1"],
  ])
    assert.equal(
      await host.ok(["digest", `${registry.address}/mirror/${to}`]),
      await host.ok(["digest", `${registry.address}/${from}`]),
    );
  const second = await report(list, target);
  assert.deepEqual([second.code, second.report.present, second.report.bytes], [0, 4, 0]);
  // A tag that moves is copied again.
  await host.ok(["copy", "-q", "--all", `${registry.address}/c/multi:v1`, `${registry.address}/b/tool:v2`]);
  assert.equal((await report(list, target)).report.copied, 1);
  await host.ok(["copy", "-q", "containers:base", `${registry.address}/b/tool:v2`]);
  const { stdout, stderr } = await host.teu(["sync", list, target]);
  assert.match(
    stdout,
    new RegExp(`^copied docker://${registry.address}/b/tool:v2 -> ${place("tool:v2")} sha256:`, "m"),
  );
  assert.match(stderr, /1 copied, 3 there already, 0 failed/);
});

test("sync: failures end it, or are counted with --keep-going; the exit code says so", { skip }, async () => {
  const bad = yaml("bad", "    images: {absent/repository: [], a/app: ['9.9', '1.0']}\n");
  const target = (name: string): string => `dir:${join(host.directory, name)}`;
  const stopped = await report(bad, target("stopped"));
  assert.deepEqual([stopped.code, stopped.report.failed, stopped.report.copied], [1, 1, 0]);
  const went = await report("--keep-going", bad, target("went"));
  assert.deepEqual([went.code, went.report.failed, went.report.copied], [1, 2, 1]);
  assert.deepEqual(readdirSync(join(host.directory, "went")), ["app:1.0"]);
  const errors = went.report.images.map(({ error }) => error).filter((error) => error !== undefined);
  assert.equal(errors.length, 2);
  // As every other error in JSON.
  for (const { code, op, subject, message } of errors)
    assert.deepEqual([code, typeof op, typeof subject, typeof message], ["not-found", "string", "string", "string"]);
});

test("sync: layouts, referrers and tags by digest", { skip }, async () => {
  const image = `${registry.address}/signed/app:v1`;
  const digest = await host.ok(["copy", "-q", "containers:base", image]);
  await host.ok(["copy", "-q", "containers:base", `${registry.address}/signed/app:${digest.replace(":", "-")}.sig`]);
  const signed = yaml("signed", "    images: {signed/app: [v1]}\n");
  const layout = `oci:${join(host.directory, "layout")}`;
  const { code, report: said } = await report("--digest-tags", "--referrers", signed, layout);
  assert.deepEqual([code, said.copied], [0, 1]);
  assert.equal(await host.ok(["digest", `${layout}:app:v1`]), digest);
  assert.equal((await report(signed, layout)).report.present, 1);
});

test("sync: mistakes are named before anything is copied", { skip }, async () => {
  const twice = yaml("twice", "    images: {a/app: ['1.0'], x/app: ['1.0']}\n");
  const cases: readonly (readonly [args: readonly string[], code: number, stderr: RegExp])[] = [
    [[list], 125, /exactly 2 arguments/],
    [[list, "oci-archive:x.tar"], 125, /not a place for many images/],
    [[twice, "dir:never"], 125, /would both become .*\nhint: use --scoped/],
    [["--digest-tags", list, "dir:never"], 125, /holds no tags/],
    [["absent.yaml", "dir:never"], 1, /absent\.yaml/],
    [[yaml("odd", "    colour: red\n"), "dir:never"], 1, /colour: it is not known/],
  ];
  for (const [args, code, stderr] of cases) {
    const outcome = await host.teu(["sync", ...args], { cwd: host.directory });
    assert.equal(outcome.code, code, `${args.join(" ")}: ${outcome.stderr}`);
    assert.match(outcome.stderr, stderr);
  }
  assert.equal(existsSync(join(host.directory, "never")), false);
});

test("sync: the same list gives skopeo the same directories", { skip: skipPeer }, async () => {
  // Skopeo learnt semver later than the oldest one that tests run with.
  const known = yaml(
    "known",
    "    images: {b/tool: [], c/multi: [v1]}\n    images-by-tag-regex: {a/app: '^1[.][1-9]'}\n",
  );
  for (const scoped of [[], ["--scoped"]]) {
    const [ours, theirs] = ["ours", "theirs"].map((name) => join(host.directory, `${name}${scoped.length}`));
    assert.ok(ours !== undefined && theirs !== undefined);
    await host.ok(["sync", "-q", ...scoped, known, `dir:${ours}`]);
    const argv = ["--insecure-policy", "sync", "--all", ...scoped, "--src", "yaml", "--dest", "dir", known, theirs];
    await run(SKOPEO, argv, { timeout: 60_000, env: { ...process.env, HTTP_PROXY: "", HTTPS_PROXY: "" } });
    const files = (root: string): string[] => readdirSync(root, { recursive: true, encoding: "utf8" }).toSorted();
    assert.deepEqual(files(ours), files(theirs));
    for (const file of files(ours).filter((name) => name.endsWith("manifest.json")))
      assert.deepEqual(readFileSync(join(ours, file)), readFileSync(join(theirs, file)), file);
  }
});
