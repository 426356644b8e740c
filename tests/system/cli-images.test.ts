// build, images, tag, rmi, history, save, load, push, pull, login, prune, info, version, doctor as people type them.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
before(async () => {
  if (skip === undefined) host = await CliHost.open();
});
after(async () => {
  if (skip === undefined) await host[Symbol.asyncDispose]();
});

test("build: plain progress, id on stdout, iidfile, labels, arguments", { skip }, async () => {
  const context = host.context("one", {
    Dockerfile: "FROM base\nARG V=0\nCOPY f /f\nRUN echo v$V >> /f\nCMD cat /f\n",
    f: "file\n",
  });
  const outcome = await host.teu([
    "build",
    "--network",
    "none",
    "-t",
    "one",
    "-t",
    "localhost:1/one:x",
    "--iidfile",
    join(host.directory, "iid"),
    "--build-arg",
    "V=7",
    "--label",
    "l=1",
    context,
  ]);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stdout, /^sha256:[0-9a-f]{64}\n$/);
  assert.equal(readFileSync(join(host.directory, "iid"), "utf8"), outcome.stdout.trim());
  assert.match(outcome.stderr, /^#1 \[1\/3\] FROM base\n#1 DONE [0-9.]+s\n\n#2 \[2\/3\] COPY f \/f\n#2 DONE/);
  assert.equal(await host.ok(["run", "--rm", "--network", "none", "one"]), "file\nv7");
  assert.equal(
    await host.ok(["inspect", "--type", "image", "-f", "{{.Config.Labels.l}} {{.RepoTags}}", "one"]),
    "1 [one:latest localhost:1/one:x]",
  );
  assert.match(
    (await host.teu(["build", "--network", "none", "--build-arg", "V=7", "--label", "l=1", context])).stderr,
    /#3 CACHED/,
  );
});

test("build: Dockerfile from stdin, --file elsewhere, --target", { skip }, async () => {
  const fromStdin = await host.ok(["build", "-q", "--network", "none", "-"], { input: "FROM base\nRUN echo x > /x\n" });
  assert.equal(await host.ok(["run", "--rm", "--network", "none", fromStdin, "cat", "/x"]), "x");
  const context = host.context("two", { "other.Dockerfile": "FROM base AS a\nRUN echo a > /a\nFROM a\nRUN false\n" });
  const id = await host.ok([
    "build",
    "-q",
    "--network",
    "none",
    "-f",
    join(context, "other.Dockerfile"),
    "--target",
    "a",
    context,
  ]);
  assert.equal(await host.ok(["run", "--rm", "--network", "none", id, "cat", "/a"]), "a");
});

const FAILURES: readonly {
  name: string;
  files: Readonly<Record<string, string>>;
  args?: readonly string[];
  stderr: RegExp;
  code?: number;
}[] = [
  {
    name: "no Dockerfile",
    files: {},
    stderr: /^teu: cannot read Dockerfile ".*": no such file\nhint: name it with -f/,
  },
  {
    name: "a mistake in it",
    files: { Dockerfile: "FROM base\nRUNN x\n" },
    stderr: /^teu: cannot parse "Dockerfile:2": instruction "RUNN" is not known\nhint: did you mean RUN\?\n$/,
  },
  {
    name: "a failing command, with its last lines",
    files: { Dockerfile: "FROM base\nRUN echo why; exit 7\n" },
    args: ["-q"],
    stderr: /^teu: cannot build "Dockerfile:2": RUN .*: exit code 7\n {2}\| why\n$/,
  },
  {
    name: "an unsupported flag",
    files: { Dockerfile: "FROM base\n" },
    args: ["--secret", "id=x"],
    stderr: /the flag --secret is not supported yet/,
    code: 125,
  },
];

for (const { name, files, args = [], stderr, code = 1 } of FAILURES) {
  test(`build: error for ${name}`, { skip }, async () => {
    const outcome = await host.teu([
      "build",
      "--network",
      "none",
      ...args,
      host.context(`bad-${name.replaceAll(" ", "-")}`, files),
    ]);
    assert.equal(outcome.code, code);
    assert.match(outcome.stderr, stderr);
    assert.equal(outcome.stdout, "");
  });
}

test("build: Ctrl-C in a step ends at once and leaves nothing", { skip }, async () => {
  const context = host.context("slow", { Dockerfile: "FROM base\nRUN echo go && sleep 60\n" });
  const { child, ended, says } = host.start(["build", "--network", "none", context]);
  await says("go\n");
  child.kill("SIGINT");
  assert.equal((await ended).code, 130);
  assert.equal(await host.ok(["ps", "-aq"]), "");
});

test("images, tag, rmi, history", { skip }, async () => {
  await host.ok(["tag", "base", "other/name:v1"]);
  assert.match(
    await host.ok(["images", "other/name"]),
    /^REPOSITORY   TAG   IMAGE ID       CREATED +SIZE\nother\/name   v1    [0-9a-f]{12}   .* (ago|second) +[0-9.]+[kM]?B$/,
  );
  assert.equal(await host.ok(["images", "--format", "{{.Repository}}:{{.Tag}}", "other/name"]), "other/name:v1");
  assert.match(
    await host.ok(["history", "base"]),
    /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[0-9a-f]{12} .* CMD \["sh"\] +0B/,
  );
  assert.equal(await host.ok(["rmi", "other/name:v1"]), "Untagged: other/name:v1");
  const missing = await host.teu(["rmi", "other/name:v1"]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^teu: cannot .*other\/name:v1/);
});

test("save and load: the same image comes back", { skip }, async () => {
  const id = await host.ok(["build", "-q", "--network", "none", "-t", "saved", "-"], {
    input: "FROM base\nRUN echo kept > /kept\n",
  });
  for (const format of ["docker-archive", "oci-archive"]) {
    const file = join(host.directory, `${format}.tar`);
    await host.ok(["save", "--format", format, "-o", file, "saved"]);
    assert.equal(existsSync(file), true);
    await host.ok(["rmi", "saved"]);
    assert.equal(await host.ok(["load", "-i", file]), "Loaded image: saved:latest");
    assert.equal(await host.ok(["images", "-q", "--no-trunc", "saved"]), id);
    assert.equal(await host.ok(["run", "--rm", "--network", "none", "saved", "cat", "/kept"]), "kept");
  }
});

test("registry serve, push, rmi, pull, run", { skip }, async () => {
  const registry = host.start([
    "registry",
    "serve",
    "--addr",
    "127.0.0.1:0",
    "--root",
    join(host.directory, "registry"),
  ]);
  const address =
    /http:\/\/(127\.0\.0\.1:\d+)\n/.exec(await registry.says("listening on http://127.0.0.1:"))?.[1] ?? "";
  try {
    const name = `${address}/base:pushed`;
    await host.ok(["tag", "base", name]);
    assert.match(await host.ok(["push", name]), /pushed: digest: sha256:[0-9a-f]{64} size: \d+$/);
    const id = await host.ok(["images", "-q", "--no-trunc", "base"]);
    await host.ok(["rmi", name]);
    const pulled = await host.teu(["pull", name]);
    assert.equal(pulled.code, 0, pulled.stderr);
    assert.equal(await host.ok(["images", "-q", "--no-trunc", name]), id);
    assert.equal(await host.ok(["run", "--rm", "--network", "none", name, "echo", "pulled"]), "pulled");
    const wrong = await host.teu(["pull", `${address}/nope`]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^teu: cannot pull .*nope/);
  } finally {
    registry.child.kill("SIGTERM");
    assert.equal((await registry.ended).code, 0);
  }
  const down = await host.teu(["pull", `${address}/base:pushed`]);
  assert.equal(down.code, 1);
});

test("login: checks its flags", { skip }, async () => {
  const both = await host.teu(["login", "-p", "x", "--password-stdin", "localhost:1"]);
  assert.deepEqual(
    [both.code, both.stderr.split("\n")[0]],
    [125, "teu: --password and --password-stdin exclude each other"],
  );
  const noTerminal = await host.teu(["login", "localhost:1"]);
  assert.equal(noTerminal.code, 1);
  assert.match(noTerminal.stderr, /stdin is not a terminal/);
});

test("system prune: asks, then removes what nothing needs", { skip }, async () => {
  await host.ok(["create", "--network", "none", "--name", "gone", "base"]);
  assert.equal((await host.teu(["system", "prune"])).code, 1);
  assert.match(
    await host.ok(["system", "prune", "-f"]),
    /Deleted Containers:\n[0-9a-f]{64}\n[\s\S]*Total reclaimed space: /,
  );
  assert.equal(await host.ok(["ps", "-aq"]), "");
  assert.notEqual(await host.ok(["images", "-q", "base"]), "");
});

test("info, version, doctor, help", { skip }, async () => {
  assert.match(await host.ok(["info"]), /^Version: .*\nContainers: 0\n/);
  assert.equal(await host.ok(["info", "--format", "{{.Driver}}"]), "overlay");
  assert.match(await host.ok(["--version"]), /^teu version \d/);
  assert.match(await host.ok(["version", "--format", "{{.Version}}"]), /^\d+\.\d+\.\d+$/);
  const doctor = await host.teu(["doctor"]);
  assert.match(doctor.stdout, /^(ok|warn|fail) +user +root\n/);
  assert.match(await host.ok(["image", "ls"]), /^REPOSITORY/);
  const unknown = await host.teu(["imgaes"]);
  assert.deepEqual(
    [unknown.code, unknown.stderr],
    [125, 'teu: "imgaes" is not a command\nhint: did you mean images?\n'],
  );
});
