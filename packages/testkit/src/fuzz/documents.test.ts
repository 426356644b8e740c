// Documents of images, and of those who configure where images come from: refused with a reason, or taken and the same when
// written and read again.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { endpointsIn } from "@teu/distribution/client/hosts-toml";
import { readRegistriesConf } from "@teu/distribution/client/registries-conf";
import { placesOf } from "@teu/distribution/client/registry-rules";
import { isDigest } from "@teu/image/digest";
import { parseDockerManifest } from "@teu/image/docker-archive/manifest-json";
import { parseReference } from "@teu/image/reference";
import { type Descriptor, parseImageConfig, parseImageLayout, parseIndex, parseManifest } from "@teu/specs/image";
import fc from "fast-check";

import { tempRoot } from "../temp-root.ts";
import { accepted, damaged, nearly, runs, STRANGE } from "./settings.ts";

const VALID = new URL("../../../specs/testdata/image/valid/", import.meta.url);
const PARSERS = { manifest: parseManifest, index: parseIndex, config: parseImageConfig, layout: parseImageLayout };
const FILES = readdirSync(VALID).flatMap((file) => {
  const parse = (PARSERS as Record<string, ((bytes: Uint8Array) => object) | undefined>)[file.split(/[-.]/)[0] ?? ""];
  return parse === undefined ? [] : [{ file, parse, bytes: readFileSync(new URL(file, VALID)) }];
});

function checkDescriptors(value: object): void {
  const { config, layers = [], manifests = [], subject } = value as Partial<Record<string, unknown>>;
  const lists = [layers, manifests] as readonly (readonly Descriptor[])[];
  for (const one of [config, subject, ...lists.flat()] as readonly (Descriptor | undefined)[]) {
    if (one?.digest === undefined) continue;
    assert.ok(isDigest(one.digest));
    assert.ok(Number.isSafeInteger(one.size) && one.size >= 0);
  }
}

for (const { file, parse, bytes } of FILES) {
  test(`fuzz ${parse.name}: ${file} with damage is refused, or the same when written and read again`, () => {
    assert.ok(parse(bytes));
    fc.assert(
      fc.property(damaged(bytes), (text) => {
        const value = accepted(() => parse(text), "invalid");
        if (value === null) return;
        assert.deepEqual(parse(Buffer.from(JSON.stringify(value))), value);
        if (parse !== parseImageConfig && parse !== parseImageLayout) checkDescriptors(value);
      }),
      runs(0.5),
    );
  });
}

test("fuzz documents: any JSON, with the names that matter", () => {
  const name = fc.constantFrom(
    ...["schemaVersion", "mediaType", "config", "Config", "layers", "manifests", "rootfs", "diff_ids", "type", "os"],
    ...[
      "architecture",
      "digest",
      "size",
      "history",
      "RepoTags",
      "Layers",
      "__proto__",
      "annotations",
      "platform",
      "data",
    ],
  );
  const leaf = fc.oneof(
    fc.constantFrom<unknown>(2, 0, -1, 1e300, 0.5, true, null, "", "layers", "sha256:..", `sha256:${"a".repeat(64)}`),
    STRANGE,
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(name, tie("value"), { maxKeys: 6 }),
    ),
  }));
  fc.assert(
    fc.property(value, (given) => {
      const bytes = Buffer.from(JSON.stringify(given));
      for (const parse of [...Object.values(PARSERS), parseDockerManifest]) accepted(() => parse(bytes), "invalid");
    }),
    runs(0.5),
  );
});

const TOML = [
  ...["server", "host", "capabilities", "ca", "client", "skip_verify", "override_path", "header", "dial_timeout"],
  ...["registry", "prefix", "location", "mirror", "insecure", "blocked", "aliases", "short-name-mode"],
  ...[
    "unqualified-search-registries",
    " = ",
    "\n",
    "[",
    "]",
    "[[",
    "]]",
    '"',
    '"a.example"',
    '"https://b.example:5000/x"',
  ],
  ...[".", ",", "true", "false", '["pull", "push"]', '"*.a.example"', '"3s"', "{", "}", "1", "#", "'", "\\u0000"],
];

test("fuzz hosts.toml: invalid, or addresses of HTTP without secrets", async () => {
  await using root = await tempRoot();
  mkdirSync(root.join("r.example"));
  await fc.assert(
    fc.asyncProperty(nearly(TOML), async (text) => {
      writeFileSync(root.join("r.example/hosts.toml"), text);
      const endpoints = await refusedOr(() => endpointsIn([root.path])("r.example"));
      for (const { root: address, headers } of endpoints ?? []) {
        if (address !== null) assert.match(address.protocol, /^https?:$/);
        if (address !== null) assert.deepEqual([address.username, address.password, address.search], ["", "", ""]);
        for (const value of Object.values(headers)) assert.doesNotMatch(value, /[\r\n\0]/);
      }
    }),
    runs(0.5),
  );
});

test("fuzz registries.conf: invalid, or rules that name places", async () => {
  await using root = await tempRoot();
  await fc.assert(
    fc.asyncProperty(nearly(TOML), async (text) => {
      writeFileSync(root.join("registries.conf"), text);
      const conf = await refusedOr(() => readRegistriesConf({ main: [root.join("registries.conf")], dropIns: [] }));
      if (conf === null) return;
      for (const name of ["a.example/x:1", "b.example:5000/x/y:1", "docker.io/library/x"]) {
        const places = await refusedOr(async () => placesOf(conf, parseReference(name), true));
        for (const { reference } of places ?? []) assert.ok(reference.repository.length > 0);
      }
    }),
    runs(0.5),
  );
});

async function refusedOr<T>(body: () => Promise<T>): Promise<T | null> {
  try {
    return await body();
  } catch (error) {
    assert.ok(isTeuError(error) && ["invalid", "denied"].includes(error.code), `threw ${String(error)}`);
    return null;
  }
}
