// What the commands on images elsewhere, on artifacts and on signatures say to programs: one JSON value on stdout, of which the keys
// stay, and for a failure one JSON object on stderr.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import type { Command } from "@teu/cli/command";
import { COMMANDS, GROUPS } from "@teu/cli/command-table";
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

async function ok(...args: readonly string[]): Promise<string> {
  const env = { COSIGN_PASSWORD: "secret" };
  const { code, stdout, stderr } = await host.teu(args, { cwd: host.directory, env });
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

const DESCRIPTOR = ["digest", "mediaType", "size"];
const CHANGED = ["source", "destination", ...DESCRIPTOR, "blobs", "bytes"];

/** Command, what stands behind it, and the keys of the value, or of the first of a list. REG is the registry; in this order. */
const CASES: readonly (readonly [command: string, args: string, keys: readonly string[]])[] = [
  [
    "copy",
    "containers:base docker://REG/json/app:v1",
    ["source", "destination", ...DESCRIPTOR, "documents", "referrers", "blobs", "bytes"],
  ],
  ["digest", "docker://REG/json/app:v1", ["mediaType", "digest", "size"]],
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
  for (const [command, args, keys] of CASES) {
    const words = [...command.split(" "), "--format", "json", ...args.replaceAll("REG", registry.address).split(" ")];
    const text = await ok(...words);
    const value = JSON.parse(text.startsWith("[") ? text : (text.split("\n")[0] ?? "")) as object | object[];
    assert.deepEqual(Object.keys(Array.isArray(value) ? (value[0] ?? {}) : value), keys, words.join(" "));
  }
});

/** What has its JSON tested in cli-json.test.ts, or with the containers, builds and hosts that it is of. */
const ELSEWHERE =
  "pull, push, load, import, rmi, image mount, image unmount, image diff, image prune, manifest push, system prune, inspect, ps, container prune, info, version, doctor";

test("--format json: no command is forgotten", { skip }, async () => {
  const entries = new Map([
    ...Object.entries(COMMANDS),
    ...Object.entries(GROUPS).flatMap(([group, { verbs }]) =>
      Object.entries(verbs).map(([verb, entry]) => [`${group} ${verb}`, entry] as const),
    ),
  ]);
  const load = async (name: string): Promise<Command | undefined> => (await entries.get(name)?.load())?.command;
  // By what they are: some have several names.
  const known = new Set(await Promise.all([...CASES.map(([command]) => command), ...ELSEWHERE.split(", ")].map(load)));
  assert.ok(!known.has(undefined), "a name that is none");
  const forgotten: string[] = [];
  for (const name of entries.keys()) {
    const command = await load(name);
    const format = command?.options.find(({ long }) => long === "format");
    if (format?.help.includes('"json"') === true && !known.has(command)) forgotten.push(name);
  }
  assert.deepEqual(forgotten, []);
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
    ["import", ["never.tar", "never:v1"], "not-found"],
  ] as const) {
    const outcome = await host.teu([...words.split(" "), "--format", "json", ...args], { cwd: host.directory });
    // What was done before the failure is told: nothing.
    const said = words === "delete" ? '{"deleted":[]}\n' : "";
    assert.deepEqual([outcome.code, outcome.stdout], [1, said], `${words}: ${outcome.stderr}`);
    const told = JSON.parse(outcome.stderr.trim()) as Record<string, unknown>;
    assert.equal(told["code"], code, `${words}: ${outcome.stderr}`);
    for (const key of ["op", "message"]) assert.match(String(told[key]), /./, words);
  }
  assert.equal(existsSync(join(host.directory, "never")), false);
});
