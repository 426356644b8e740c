// What the commands on images, artifacts, signatures and credentials say to programs: one JSON value on stdout, of which the keys
// stay, and for a failure one JSON object on stderr.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import type { Command } from "@teu/cli/command";
import { COMMANDS, GROUPS } from "@teu/cli/command-table";
import { digestOf } from "@teu/image/digest";
import { Registry } from "@teu/registry/registry";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
let registry: Registry;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen();
  mkdirSync(join(host.directory, "tree"));
  writeFileSync(join(host.directory, "tree/file"), "text\n");
  const list = { [registry.address]: { "tls-verify": false, images: { "json/app": ["v1"] } } };
  writeFileSync(join(host.directory, "list.yaml"), JSON.stringify(list));
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

const ENTRIES = new Map([
  ...Object.entries(COMMANDS),
  ...Object.entries(GROUPS).flatMap(([group, { verbs }]) =>
    Object.entries(verbs).map(([verb, entry]) => [`${group} ${verb}`, entry] as const),
  ),
]);

async function load(name: string): Promise<Command | undefined> {
  return (await ENTRIES.get(name)?.load())?.command;
}

/** The flag that has a command speak JSON; undefined: it has none. */
async function jsonFlag(name: string): Promise<readonly string[] | undefined> {
  const options = (await load(name))?.options ?? [];
  if (options.some(({ long }) => long === "json")) return ["--json"];
  const format = options.find(({ long }) => long === "format");
  return format?.help.includes('"json"') === true ? ["--format", "json"] : undefined;
}

async function ok(...args: readonly string[]): Promise<string> {
  const env = { COSIGN_PASSWORD: "secret" };
  const { code, stdout, stderr } = await host.teu(args, { cwd: host.directory, env });
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

const DESCRIPTOR = ["digest", "mediaType", "size"];
const LIST = ["reference", ...DESCRIPTOR, "members"];
const CHANGED = ["source", "destination", ...DESCRIPTOR, "blobs", "bytes"];

/**
 * Command, what stands behind it, and the keys of the value, or of the first of a list; in this order. REG is the registry, BOX a
 * container, CONFIG the digest of the image's config.
 */
const CASES: readonly (readonly [command: string, args: string, keys: readonly string[]])[] = [
  [
    "copy",
    "containers:base docker://REG/json/app:v1",
    ["source", "destination", ...DESCRIPTOR, "documents", "referrers", "blobs", "bytes"],
  ],
  ["tag", "base REG/json/named:v1", ["name", "source", "id", "digest", "mediaType"]],
  ["save", "-o base.tar base", ["images", "format", "file", "digest", "size"]],
  ["export", "-o box.tar BOX", ["container", "file", "digest", "size"]],
  ["digest", "docker://REG/json/app:v1", ["mediaType", "digest", "size"]],
  ["blob", "-o blob.json REG/json/app@CONFIG", ["source", "file", "digest", "size"]],
  ["manifest create", "REG/json/list:v1 REG/json/app:v1", LIST],
  ["manifest annotate", "--arch arm64 REG/json/list:v1 REG/json/app:v1", LIST],
  ["manifest inspect", "REG/json/list:v1", ["schemaVersion", "mediaType", "manifests"]],
  ["manifest rm", "REG/json/list:v1", ["removed"]],
  ["login", "-u me -p secret-word REG", ["registry", "username", "stored", "token"]],
  ["logout", "REG", ["registry", "removed"]],
  ["key generate", "--output-key-prefix json", ["privateKey", "publicKey"]],
  ["key public", "--key json.key", ["key", "pem"]],
  ["ls", "REG/json/app", ["repository", "tags"]],
  ["catalog", "REG", ["registry", "repositories"]],
  ["image mutate", "--label a=b -t oci:lay:mutated docker://REG/json/app:v1", CHANGED],
  ["image append", "-t oci:lay:appended oci:lay:mutated tree", CHANGED],
  ["image flatten", "-t oci:lay:flat oci:lay:appended", CHANGED],
  ["image rebase", "--old-base oci:lay:mutated --new-base oci:lay:flat -t oci:lay:rebased oci:lay:appended", CHANGED],
  ["image unpack", "oci:lay:appended unpacked", ["source", "digest", "directory", "entries", "bytes"]],
  ["image tree", "base", ["image", "digest", "id", "platform", "layers"]],
  ["image history", "base", ["ID", "CreatedSince", "CreatedAt", "CreatedBy", "Size", "Comment"]],
  ["images", "base", ["Repository", "Tag", "Digest", "ID", "Platform", "CreatedAt", "CreatedSince", "Size"]],
  ["sign", "--key cosign.key REG/json/app:v1", ["image", "format", "added", "signature"]],
  ["verify", "--key cosign.pub REG/json/app:v1", ["critical", "optional"]],
  [
    "artifact push",
    "REG/json/files:v1 tree/file",
    ["reference", "mediaType", "digest", "size", "artifactType", "files"],
  ],
  [
    "artifact attach",
    "--artifact-type text/x-note REG/json/app:v1 tree/file",
    ["reference", "mediaType", "digest", "size", "artifactType", "subject", "files"],
  ],
  ["artifact discover", "REG/json/app:v1", ["reference", "mediaType", "digest", "size", "referrers"]],
  [
    "artifact pull",
    "-o out REG/json/files:v1",
    ["reference", "digest", "artifactType", "directory", "files", "skipped"],
  ],
  ["sync", "list.yaml oci:mirror", ["images", "copied", "present", "planned", "failed", "bytes"]],
  ["delete", "docker://REG/json/files:v1", ["deleted"]],
];

test("--format json: each command's facts, and nothing else on stdout", { skip }, async () => {
  await ok("key", "generate");
  const box = await host.ok(["create", "--network", "none", "base", "true"]);
  const config = await host.ok(["images", "-q", "--no-trunc", "base"]);
  for (const [command, args, keys] of CASES) {
    const meant = args.replaceAll("REG", registry.address).replace("BOX", box).replace("CONFIG", config);
    const words = [...command.split(" "), ...((await jsonFlag(command)) ?? []), ...meant.split(" ")];
    const text = await ok(...words);
    const value = JSON.parse(text.startsWith("[") ? text : (text.split("\n")[0] ?? "")) as object | object[];
    assert.deepEqual(Object.keys(Array.isArray(value) ? (value[0] ?? {}) : value), keys, words.join(" "));
  }
});

test("--format json: what was written, named and kept, as it is", { skip }, async () => {
  const told = async (...args: readonly string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await ok(...args, "--format", "json")) as Record<string, unknown>;
  const at = (file: string): string => join(host.directory, file);
  const app = `${registry.address}/json/facts:v1`;
  const named = await told("tag", "base", app);
  assert.equal(named["name"], app);
  assert.equal(named["source"], "docker.io/library/base:latest");
  assert.deepEqual(await told("tag", String(named["id"]), "json:by-id"), {
    ...named,
    name: "docker.io/library/json:by-id",
    source: named["id"],
  });
  const pushed = await told("push", app);
  assert.equal(named["digest"], pushed["digest"]);

  const box = await host.ok(["create", "--network", "none", "base", "true"]);
  const exported = await told("export", "-o", "facts.tar", box.slice(0, 12));
  const saved = JSON.parse(await ok("save", "--json", "-o", "facts.tar.2", app)) as Record<string, unknown>;
  const source = `${registry.address}/json/facts@${String(named["id"])}`;
  const blob = await told("blob", "-o", "facts.json", source);
  for (const [one, file] of [
    [exported, "facts.tar"],
    [saved, "facts.tar.2"],
    [blob, "facts.json"],
  ] as const) {
    const bytes = readFileSync(at(file));
    assert.deepEqual([one["file"], one["size"], one["digest"]], [file, bytes.length, digestOf(bytes)], file);
  }
  assert.deepEqual(
    [exported["container"], saved["images"], saved["format"], blob["source"]],
    [box, [app], "docker-archive", source],
  );

  const list = `${registry.address}/json/list:v2`;
  const made = await told("manifest", "create", list, app);
  const { digest, mediaType, size } = pushed;
  const [member] = made["members"] as Record<string, unknown>[];
  assert.deepEqual({ ...member, platform: null }, { reference: app, digest, mediaType, size, platform: null });
  assert.equal((member as { platform: { os: string } }).platform.os, "linux");
  const changed = await told("manifest", "annotate", "--arch", "s390x", list, app);
  assert.equal((changed["members"] as { platform: { architecture: string } }[])[0]?.platform.architecture, "s390x");
  assert.notEqual(changed["digest"], made["digest"]);
  const { members: _, ...whole } = changed;
  assert.deepEqual(await told("manifest", "push", list), whole);
  assert.deepEqual(await told("manifest", "rm", list), { removed: [list] });
});

test("--format json: login and logout say where, and never what", { skip }, async () => {
  const stored = join(host.directory, ".docker/config.json");
  const { address } = registry;
  const login = await host.teu(["login", "--format", "json", "-u", "me", "--password-stdin", `http://${address}/v2/`], {
    input: "secret-word",
  });
  assert.deepEqual([login.code, login.stderr], [0, ""]);
  assert.deepEqual(JSON.parse(login.stdout), { registry: address, username: "me", stored, token: false });
  const nobody = await host.teu(["login", "--format", "json", "-u", "me", "--password-stdin", "127.0.0.1:1"], {
    input: "secret-word",
  });
  assert.deepEqual([nobody.code, nobody.stdout], [1, ""]);
  assert.equal((JSON.parse(nobody.stderr) as { code: string }).code, "unavailable");
  assert.doesNotMatch(nobody.stderr, /secret-word/);
  const warned = await host.teu(["login", "--format", "json", "-u", "me", "-p", "secret-word", address]);
  assert.match(warned.stderr, /^teu: warning: a password on the command line.*\n$/);
  assert.doesNotMatch(warned.stdout + warned.stderr, /secret-word/);
  assert.deepEqual(JSON.parse(await ok("logout", "--format", "json", address)), {
    registry: address,
    removed: [stored],
  });
  assert.deepEqual(JSON.parse(await ok("logout", "--format", "json", address)), { registry: address, removed: [] });
});

test(
  "--format json: without -o it is refused where bytes go to stdout, and so are other formats",
  { skip },
  async () => {
    const digest = `sha256:${"0".repeat(64)}`;
    for (const args of [
      ["export", "--format", "json", "box"],
      ["save", "--json", "base"],
      ["blob", "--format", "json", `${registry.address}/json/app@${digest}`],
      ["manifest", "inspect", "--format", "json", "--raw", "base"],
    ]) {
      const { code, stdout, stderr } = await host.teu(args);
      assert.deepEqual([code, stdout], [125, ""], args.join(" "));
      const told = JSON.parse(stderr) as Record<string, unknown>;
      assert.equal(told["code"], "invalid", args.join(" "));
      assert.match(String(told["hint"]), /use -o FILE|exact bytes/, args.join(" "));
    }
    for (const [name] of CASES) {
      if ((await jsonFlag(name))?.[0] !== "--format") continue;
      const {
        args: [least],
        options,
      } = (await load(name)) as Command;
      // Those that have templates take any text.
      if (options.some(({ long, help }) => long === "format" && help.includes("template"))) continue;
      const words = [...name.split(" "), "--format", "yaml", ...Array.from({ length: least }, () => "tree")];
      const { code, stdout, stderr } = await host.teu(words, { cwd: host.directory });
      assert.deepEqual([code, stdout], [125, ""], `${words.join(" ")}: ${stderr}`);
    }
  },
);

/** What has its JSON tested in cli-json.test.ts, or with the containers, hosts and registries that it is of. */
const ELSEWHERE = [
  "pull, push, load, import, rmi, image mount, image unmount, image diff, image prune, manifest push, system prune",
  "inspect, ps, container prune, info, version, doctor",
  "registry backup, registry export, registry gc, registry import, registry retention, registry tags, registry undelete",
  "registry verify",
].join(", ");

/** What runs containers, builds and servers: its output is theirs, or names of theirs. All that is of images has JSON. */
const WITHOUT =
  "build, create, exec, kill, logs, rename, rm, run, start, stop, top, wait, registry restore, registry schema, registry serve";

test("--format json: no command is forgotten", { skip }, async () => {
  // By what they are: some have several names.
  const commands = async (names: readonly string[]): Promise<Set<Command | undefined>> =>
    new Set(await Promise.all(names.map(load)));
  const known = await commands([...CASES.map(([command]) => command), ...ELSEWHERE.split(", ")]);
  const without = await commands(WITHOUT.split(", "));
  assert.ok(!known.has(undefined) && !without.has(undefined), "a name that is none");
  for (const name of ENTRIES.keys()) {
    const command = await load(name);
    const has = (await jsonFlag(name)) !== undefined;
    assert.deepEqual([has, known.has(command), without.has(command)], [has, has, !has], name);
  }
});

test("--format json: a failure is one object on stderr, with the code and what was tried", { skip }, async () => {
  const absent = `${registry.address}/absent/app:v1`;
  for (const [words, args, code] of [
    ["copy", [`docker://${absent}`, "oci:never:v1"], "not-found"],
    ["digest", [`docker://${absent}`], "not-found"],
    ["ls", [`${registry.address}/absent/app`], "not-found"],
    ["image mutate", ["--label", "a=b", "-t", "oci:never:v1", `docker://${absent}`], "not-found"],
    ["image unpack", ["oci:never:v1", "never"], "not-found"],
    ["image tree", [absent], "not-found"],
    ["pull", [absent], "not-found"],
    ["push", [absent], "not-found"],
    ["sign", ["--key", "never.key", absent], "not-found"],
    ["verify", ["--key", "never.pub", absent], "not-found"],
    ["artifact pull", ["-o", "never", absent], "not-found"],
    ["artifact discover", [absent], "not-found"],
    ["sync", ["never.yaml", "oci:never"], "not-found"],
    ["delete", [`docker://${absent}`], "not-found"],
    ["load", ["-i", "never.tar"], "not-found"],
    ["tag", [absent, "never:v1"], "not-found"],
    ["export", ["-o", "never", "never"], "not-found"],
    ["blob", ["-o", "never", `${registry.address}/absent/app@sha256:${"0".repeat(64)}`], "not-found"],
    ["manifest create", [`${absent}-list`, absent], "not-found"],
    ["manifest annotate", ["--os", "linux", `${absent}-list`, absent], "not-found"],
    ["manifest inspect", [absent], "not-found"],
    ["manifest rm", [`${absent}-list`], "not-found"],
    ["key public", ["--key", "never.key"], "not-found"],
    ["key generate", [], "invalid"],
    ["import", ["never.tar", "never:v1"], "not-found"],
  ] as const) {
    const outcome = await host.teu([...words.split(" "), "--format", "json", ...args], { cwd: host.directory });
    // What was done before the failure is told: nothing.
    const said = (words === "delete" && '{"deleted":[]}\n') || (words === "manifest rm" && '{"removed":[]}\n') || "";
    assert.deepEqual([outcome.code, outcome.stdout], [1, said], `${words}: ${outcome.stderr}`);
    const told = JSON.parse(outcome.stderr.trim()) as Record<string, unknown>;
    assert.equal(told["code"], code, `${words}: ${outcome.stderr}`);
    for (const key of ["op", "message"]) assert.match(String(told[key]), /./, words);
  }
  assert.equal(existsSync(join(host.directory, "never")), false);
});

test("--format json: what cannot be read on the command line is told in JSON, too", { skip }, async () => {
  for (const name of ENTRIES.keys()) {
    const flag = await jsonFlag(name);
    if (flag === undefined) continue;
    const { code, stdout, stderr } = await host.teu([...name.split(" "), "--xyzzy", ...flag], { cwd: host.directory });
    assert.deepEqual([code, stdout], [125, ""], name);
    const told = JSON.parse(stderr.trim()) as Record<string, unknown>;
    assert.match(String(told["message"]), /unknown flag --xyzzy/, name);
    assert.match(String(told["hint"]), /--help|did you mean/, name);
  }
  // Behind "--" nothing is a flag.
  const text = await host.teu(["digest", "--xyzzy", "--", "--format", "json"], { cwd: host.directory });
  assert.match(text.stderr, /^teu: unknown flag --xyzzy/);
});
