// Short names by registries.conf where people type them: pull, run, create, FROM, and what is here under its full name afterwards.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Registry } from "@teu/registry/registry";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
let registry: Registry;
let env: Readonly<Record<string, string>>;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen();
  const conf = join(host.directory, "registries.conf");
  writeFileSync(
    conf,
    [
      `unqualified-search-registries = ["${registry.address}"]`,
      "[aliases]",
      `"nick" = "${registry.address}/team/real"`,
      "",
    ].join("\n"),
  );
  env = { CONTAINERS_REGISTRIES_CONF: conf };
  for (const name of ["searched", "team/real"])
    await host.ok(["copy", "-q", "containers:base", `${registry.address}/${name}:v1`]);
  await host.ok(["rmi", "-f", "base"]);
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

for (const [short, full] of [
  ["searched:v1", "searched:v1"],
  ["nick:v1", "team/real:v1"],
] as const) {
  test(`${short}: pulled by run, found by it again, and where FROM names it`, { skip }, async () => {
    const name = `${registry.address}/${full}`;
    await host.teu(["rmi", "-f", name], { env });
    const says = ["run", "--rm", "--network", "none", short, "echo", "hi"];
    const pulled = await host.teu(says, { env });
    assert.equal(pulled.stdout, "hi\n", pulled.stderr);
    const again = await host.teu(["run", "--rm", "--network", "none", "--pull", "never", short, "echo", "hi"], { env });
    assert.equal(again.stdout, "hi\n", again.stderr);
    const listed = await host.ok(["images", "--format", "{{.Repository}}:{{.Tag}}"]);
    assert.ok(listed.split("\n").includes(name), listed);
    assert.doesNotMatch(listed, /^(?:docker\.io|searched|nick)/m);
    // Once with the image here, once pulled by the build.
    for (const [round, tag] of ["built-here", "built-pulled"].entries()) {
      if (round === 1) await host.ok(["rmi", "-f", name, "built-here"]);
      const context = host.context(`${tag}-${short.replace(":", "-")}`, {
        Dockerfile: `FROM ${short} AS one\nRUN echo built > /built\nFROM one\nRUN cat /built\n`,
      });
      const built = await host.teu(["build", "-q", "--network", "none", "-t", tag, context], { env });
      assert.equal(built.code, 0, built.stderr);
      assert.equal(await host.ok(["run", "--rm", "--network", "none", tag, "cat", "/built"]), "built");
    }
    await host.ok(["rmi", "-f", "built-pulled"]);
  });
}

test("a short name that nobody has is an error that says where it was looked for", { skip }, async () => {
  const run = await host.teu(["run", "--rm", "absent:v1", "true"], { env });
  assert.equal(run.code, 125);
  assert.match(run.stderr, new RegExp(`${registry.address}/absent`));
  const context = host.context("absent", { Dockerfile: "FROM absent:v1\n" });
  const build = await host.teu(["build", context], { env });
  assert.equal(build.code, 1);
  assert.match(build.stderr, new RegExp(`${registry.address}/absent`));
});
