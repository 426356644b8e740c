import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { parseReference, referenceText } from "@teu/image/reference";
import { tempRoot } from "@teu/testkit/temp-root";

import { NO_REGISTRIES, readRegistriesConf, type RegistriesConf, registriesFiles } from "./registries-conf.ts";
import { placesOf } from "./registry-rules.ts";
import { isShortName, meaningsOf } from "./short-names.ts";

async function read(main: string, ...dropIns: readonly string[]): Promise<RegistriesConf> {
  await using root = await tempRoot();
  await writeFile(root.join("registries.conf"), main);
  await mkdir(root.join("d"));
  for (const [i, text] of dropIns.entries()) await writeFile(root.join(`d/${i}.conf`), text);
  await writeFile(root.join("d/not-read"), "[");
  const main2 = [root.join("missing"), root.join("registries.conf")];
  return await readRegistriesConf({ main: main2, dropIns: [root.join("none"), root.join("d")] });
}

const texts = (conf: RegistriesConf, reference: string, byTag = true): string[] =>
  placesOf(conf, parseReference(reference), byTag).map((place) => referenceText(place.reference));

test("registriesFiles: one's own file replaces the machine's, drop-ins add up; a named file stands alone", () => {
  assert.deepEqual(registriesFiles({ HOME: "/h" }), {
    main: ["/h/.config/containers/registries.conf", "/etc/containers/registries.conf"],
    dropIns: ["/etc/containers/registries.conf.d", "/h/.config/containers/registries.conf.d"],
  });
  assert.deepEqual(registriesFiles({ HOME: "/h", CONTAINERS_REGISTRIES_CONF: "/x" }), { main: ["/x"], dropIns: [] });
  assert.deepEqual(registriesFiles({ CONTAINERS_REGISTRIES_CONF: "/x", CONTAINERS_REGISTRIES_CONF_DIR: "/d" }), {
    main: ["/x"],
    dropIns: ["/d"],
  });
});

test("readRegistriesConf: later files win, rule by rule and alias by alias", async () => {
  assert.deepEqual(await readRegistriesConf({ main: [], dropIns: [] }), NO_REGISTRIES);
  const conf = await read(
    `unqualified-search-registries = ["a.example"]
credential-helpers = ["vault", "containers-auth.json"]
[[registry]]
prefix = "one.example"
insecure = true
[[registry]]
location = "two.example"
[aliases]
x = "r.example/x"
y = "r.example/y"
"team/z" = "r.example/z"`,
    'unqualified-search-registries = ["b.example", "c.example"]\nshort-name-mode = "disabled"\ncredential-helpers = []',
    '[[registry]]\nprefix = "one.example"\nblocked = true\n[aliases]\nx = "s.example/x"\ny = ""',
  );
  assert.deepEqual(conf.search, ["b.example", "c.example"]);
  assert.deepEqual(conf.credentialHelpers, ["vault", "containers-auth.json"]);
  assert.equal(conf.mode, "disabled");
  assert.deepEqual(
    [...conf.aliases],
    [
      ["x", "s.example/x"],
      ["team/z", "r.example/z"],
    ],
  );
  assert.deepEqual(
    conf.rules.map(({ prefix, insecure, blocked }) => [prefix, insecure, blocked]),
    [
      ["two.example", false, false],
      ["one.example", false, true],
    ],
  );
});

test("readRegistriesConf: what makes no sense is named with its place", async () => {
  for (const [text, wanted] of [
    ["[registries.search]\nregistries = []", /version 1/],
    ["[[registry]]", /registry\[0\].prefix is missing/],
    ['[[registry]]\nlocation = "https://a.example"', /without a scheme/],
    ['[[registry]]\nprefix = "a.*.example"', /before a domain/],
    ['[[registry]]\nprefix = "*.example/path"', /before a domain/],
    ['[[registry]]\nlocation = "a.example"\n[[registry.mirror]]', /registry\[0\].mirror\[0\].location is missing/],
    [
      '[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\nlocation = "b.example"\npull-from-mirror = "x"',
      /must be all/,
    ],
    [
      '[[registry]]\nlocation = "a.example"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "b.example"\npull-from-mirror = "all"',
      /mirror-by-digest-only/,
    ],
    ['short-name-mode = "ask"', /short-name-mode must be/],
    ['[aliases]\nx = "y"', /aliases.x must be a name with a registry/],
    ['[aliases]\nx = "r.example/y:tag"', /without tag/],
    ["unqualified-search-registries = 1", /list of texts/],
  ] as const) {
    await assert.rejects(read(text), (error) => isTeuError(error, "invalid") && wanted.test(error.message), text);
  }
});

test("placesOf: the longest prefix counts, at the bounds of names only", async () => {
  const conf = await read(`
[[registry]]
prefix = "r.example"
location = "host.example"
[[registry]]
prefix = "r.example/team"
location = "team.example/of"
[[registry.mirror]]
location = "tags.example"
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "digests.example/x"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "*.wild.example"
[[registry.mirror]]
location = "mirror.example"
[[registry]]
prefix = "docker.io"
[[registry.mirror]]
location = "hub.example/proxy"
[[registry]]
prefix = "bad.example"
location = "noregistry"
`);
  assert.deepEqual(texts(conf, "other.example/a:1"), ["other.example/a:1"]);
  assert.deepEqual(texts(conf, "r.example/a:1"), ["host.example/a:1"]);
  assert.deepEqual(texts(conf, "r.example.org/a:1"), ["r.example.org/a:1"]);
  assert.deepEqual(texts(conf, "r.example:5000/a:1"), ["host.example:5000/a:1"]);
  assert.deepEqual(texts(conf, "r.example/team/a:1"), ["tags.example/a:1", "team.example/of/a:1"]);
  assert.deepEqual(texts(conf, "r.example/team/a:1", false), [
    "tags.example/a:1",
    "digests.example/x/a:1",
    "team.example/of/a:1",
  ]);
  assert.deepEqual(texts(conf, "r.example/teams/a:1"), ["host.example/teams/a:1"]);
  assert.deepEqual(texts(conf, "a.b.wild.example:5000/x:1"), ["mirror.example/x:1", "a.b.wild.example:5000/x:1"]);
  assert.deepEqual(texts(conf, "wild.example/x:1"), ["wild.example/x:1"]);
  assert.deepEqual(texts(conf, "busybox"), [
    "hub.example/proxy/library/busybox:latest",
    "docker.io/library/busybox:latest",
  ]);
  assert.throws(
    () => texts(conf, "bad.example/x"),
    (error) => isTeuError(error, "invalid") && /names no registry/.test(error.message),
  );
});

test("meaningsOf: aliases, then the registries that are searched, else Docker Hub", async () => {
  const meanings = (conf: RegistriesConf, text: string): string[] => meaningsOf(conf, text).map(referenceText);
  const aliases = new Map([
    ["fedora", "registry.fedoraproject.org/fedora"],
    ["team/x", "r.example/y"],
  ]);
  const digest = `sha256:${"0".repeat(64)}`;
  assert.deepEqual(meanings(NO_REGISTRIES, "busybox"), ["docker.io/library/busybox:latest"]);
  const conf: RegistriesConf = { ...NO_REGISTRIES, aliases, search: ["a.example", "docker.io"] };
  assert.deepEqual(meanings(conf, "fedora:40"), ["registry.fedoraproject.org/fedora:40"]);
  assert.deepEqual(meanings(conf, "fedora"), ["registry.fedoraproject.org/fedora:latest"]);
  assert.deepEqual(meanings(conf, `fedora@${digest}`), [`registry.fedoraproject.org/fedora@${digest}`]);
  assert.deepEqual(meanings(conf, "team/x:1"), ["r.example/y:1"]);
  assert.deepEqual(meanings(conf, "busybox:1"), ["a.example/busybox:1", "docker.io/library/busybox:1"]);
  assert.deepEqual(meanings(conf, "localhost/busybox"), ["localhost/busybox:latest"]);
  assert.deepEqual(meanings(conf, "r.example/fedora"), ["r.example/fedora:latest"]);
  assert.throws(
    () => meanings({ ...conf, mode: "enforcing" }, "busybox"),
    (error) => isTeuError(error, "invalid") && /a.example\/busybox or docker.io\/library\/busybox/.test(error.message),
  );
  assert.deepEqual(meanings({ ...conf, mode: "enforcing", search: ["a.example"] }, "b"), ["a.example/b:latest"]);
  assert.deepEqual(["a", "a/b", "localhost/a", "a.b/c", "h:1/a", "Host/a"].map(isShortName), [
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});
