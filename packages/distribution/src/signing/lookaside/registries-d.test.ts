// registries.d: what it may say, which of it counts for an image, and that what cannot be read is an error.

import assert from "node:assert/strict";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { parseReference } from "@teu/image/reference";
import { tempRoot } from "@teu/testkit/temp-root";

import { addressFor, parseAddress } from "./lookaside.ts";
import { lookasideFiles } from "./lookaside-files.ts";
import { parseRegistriesD, readRegistriesD } from "./registries-d.ts";

const HEX = "a".repeat(64);

test("parseRegistriesD: defaults and scopes, of several files, by the names of today and of before", () => {
  const rules = parseRegistriesD([
    ["empty.yaml", ""],
    ["comment.yaml", "# default-docker:\n#   lookaside: file:///x\n"],
    ["null.yaml", "default-docker:\ndocker:\n"],
    ["a.yaml", "default-docker:\n  sigstore: https://default.example\n  sigstore-staging: file:///staging\n"],
    [
      "b.yaml",
      [
        "docker:",
        "  registry.example:",
        "    lookaside: https://one.example",
        "    sigstore: https://old.example",
        "  registry.example/team:",
        "    use-sigstore-attachments: true",
        "  registry.example/quiet:",
        "  registry.example/staging:",
        "    lookaside-staging: file:///staging",
        "    lookaside: ''",
      ].join("\n"),
    ],
    ["c.yaml", "docker: {other.example: {sigstore: 'https://c.example', of-tomorrow: [1]}}\nof-tomorrow: 1\n"],
  ]);
  assert.equal(rules.fallback, "https://default.example");
  assert.deepEqual(Object.fromEntries(rules.scopes), {
    "registry.example": "https://one.example",
    "registry.example/team": null,
    "registry.example/quiet": null,
    "registry.example/staging": null,
    "other.example": "https://c.example",
  });
});

test("parseRegistriesD: anything else is an error that names the file", () => {
  const scope = "docker:\n  a.example:\n    lookaside: https://one.example\n";
  const aliases = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [one, before] of ["ba", "cb", "dc", "ed"].map((pair) => [...pair]))
    aliases.push(`${one}: &${one} [${Array.from({ length: 10 }, () => `*${before}`).join(", ")}]`);
  const cases: readonly (readonly [string, ...(readonly string[])])[] = [
    ["no YAML", "docker: [\n"],
    ["a list", "- docker\n"],
    ["a text", "docker\n"],
    ["scopes that are a list", "docker: [a.example]\n"],
    ["a scope that is a text", "docker:\n  a.example: https://one.example\n"],
    ["an address that is a number", "docker:\n  a.example:\n    lookaside: 1\n"],
    ["an address that is a list", "default-docker:\n  sigstore: [file:///x]\n"],
    ["a default that is a text", "default-docker: file:///x\n"],
    ["docker twice", `${scope}${scope}`],
    ["a scope twice", `${scope}  a.example:\n    lookaside: https://two.example\n`],
    ["a scope in two files", scope, scope],
    ["a scope in two files, and one says nothing", scope, "docker:\n  a.example:\n"],
    ["two defaults", "default-docker:\n  lookaside: file:///x\n", "default-docker: {}\n"],
    ["aliases of aliases", aliases.join("\n")],
  ];
  for (const [name, ...texts] of cases)
    assert.throws(
      () => parseRegistriesD(texts.map((text, i) => [`/d/${i}.yaml`, text])),
      (error) => isTeuError(error, "invalid") && /\/d\/[01]\.yaml: /.test(error.what),
      name,
    );
});

test("readRegistriesD: the first directory that exists, all its .yaml files and no others", async () => {
  await using root = await tempRoot();
  const [own, host] = [root.join("own"), root.join("host")];
  const read = () => readRegistriesD([own, host]);
  assert.deepEqual(await read(), { fallback: null, scopes: new Map() });
  await mkdir(host);
  await writeFile(root.join("host/b.yaml"), "default-docker:\n  lookaside: file:///host\n");
  await writeFile(root.join("host/a.yml"), "no YAML: [");
  await writeFile(root.join("host/readme"), "no YAML: [");
  assert.equal((await read()).fallback, "file:///host");
  await mkdir(own);
  assert.equal((await read()).fallback, null);
  await writeFile(root.join("own/z.yaml"), "docker:\n  a.example:\n    lookaside: file:///own\n");
  assert.equal((await read()).scopes.get("a.example"), "file:///own");
  await writeFile(root.join("own/large.yaml"), "#".repeat((1 << 20) + 1));
  await assert.rejects(read(), (error) => isTeuError(error, "invalid") && error.what.includes("large.yaml"));
  await writeFile(root.join("own/large.yaml"), "");
  await symlink("nowhere", root.join("own/link.yaml"));
  await assert.rejects(read(), (error) => isTeuError(error, "not-found"));
  await writeFile(root.join("file"), "");
  await assert.rejects(readRegistriesD([root.join("file"), host]), (error) => isTeuError(error));
  if (process.geteuid?.() === 0) return;
  await chmod(own, 0);
  await assert.rejects(read(), (error) => isTeuError(error, "denied"));
  await chmod(own, 0o700);
});

test("addressFor: the most specific scope that has an address", () => {
  const scopes = {
    "*.example": "domain",
    "registry.example": "host",
    "registry.example/team": "namespace",
    "registry.example/team/app": "repository",
    "registry.example/team/app:v1": "tag",
    [`registry.example/team/app@sha256:${HEX}`]: "digest",
    "registry.example/team/silent": null,
    "localhost:5000": "port",
    "docker.io/library": "hub",
  };
  const rules = { fallback: "default", scopes: new Map(Object.entries(scopes)) };
  const cases: readonly (readonly [string, string])[] = [
    ["registry.example/team/app:v1", "tag"],
    ["registry.example/team/app:v2", "repository"],
    [`registry.example/team/app@sha256:${HEX}`, "digest"],
    [`registry.example/team/app:v1@sha256:${HEX}`, "digest"],
    ["registry.example/team/silent:v1", "namespace"],
    ["registry.example/team/other/deep:v1", "namespace"],
    ["registry.example/teams/app:v1", "host"],
    ["other.example/app:v1", "domain"],
    ["registry.example.evil.org/team/app:v1", "default"],
    ["registry.example:5000/team/app:v1", "domain"],
    ["localhost:5000/app:v1", "port"],
    ["localhost:5001/app:v1", "default"],
    ["busybox", "hub"],
  ];
  for (const [text, wanted] of cases) assert.equal(addressFor(rules, parseReference(text)), wanted, text);
  assert.equal(addressFor({ ...rules, fallback: null }, parseReference("quay.io/a/b")), null);
});

test("parseAddress: files and web servers, and nobody's password", () => {
  for (const good of ["file:///srv/signatures", "https://host.example/a/b/", "http://127.0.0.1:8080", "HTTPS://h/x"])
    assert.ok(parseAddress(good));
  for (const bad of [
    "",
    "/srv/signatures",
    "srv",
    "file://srv/signatures",
    "file:signatures",
    "file:///srv%2Fsignatures",
    "file:///srv%00",
    "ftp://host.example",
    "data:,x",
    "https://user:password@host.example",
    "https://user@host.example",
    "https:///",
  ])
    assert.throws(
      () => parseAddress(bad),
      (error) => isTeuError(error, "invalid") && !error.message.includes("password"),
      bad,
    );
});

test("lookasideFiles: of the user, then of the host", () => {
  const { directories, fallback } = lookasideFiles("/home/me");
  assert.deepEqual(directories, ["/home/me/.config/containers/registries.d", "/etc/containers/registries.d"]);
  const isRoot = process.geteuid?.() === 0;
  assert.equal(fallback, isRoot ? "/var/lib/containers/sigstore" : "/home/me/.local/share/containers/sigstore");
  for (const home of [undefined, "", "relative"])
    assert.deepEqual(lookasideFiles(home).directories, ["/etc/containers/registries.d"]);
});
