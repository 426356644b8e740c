// The same settings, read by skopeo and by our client: registries.conf and proxy variables must lead both to the same places.
// No root needed.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { accessSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { promisify } from "node:util";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { proxyFor } from "@teu/distribution/client/proxy";
import { readRegistriesConf } from "@teu/distribution/client/registries-conf";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { digestOf } from "@teu/image/digest";
import { parseReference } from "@teu/image/reference";
import { MEDIA_TYPES } from "@teu/specs/image";
import { reply } from "@teu/testkit/hostile-answers";
import { HostileRegistry } from "@teu/testkit/hostile-registry";
import { tempRoot } from "@teu/testkit/temp-root";

const SKOPEO = "/usr/bin/skopeo";
const run = promisify(execFile);
const scope = createScope();
const skip = missing(SKOPEO);
const DOCUMENT = '{"schemaVersion":2,"config":{},"layers":[]}';
const DIGEST = digestOf(DOCUMENT);

function missing(program: string): string | false {
  try {
    accessSync(program);
    return false;
  } catch {
    return `${program} is not installed`;
  }
}

async function skopeo(
  reference: string,
  options: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<string> {
  const argv = ["--insecure-policy", ...options, "inspect", "--raw", `docker://${reference}`];
  const { PATH = "" } = process.env;
  try {
    await run(SKOPEO, argv, { env: { PATH, HOME: "/nonexistent", ...env }, timeout: 60_000 });
    return "found";
  } catch (error) {
    return String((error as { stderr?: string }).stderr);
  }
}

// ONE and TWO stand for two registries; ONE has nothing.
const RULES: readonly { readonly name: string; readonly conf: string; readonly references: readonly string[] }[] = [
  {
    name: "prefix and location",
    conf: `[[registry]]
prefix = "r.example/team"
location = "TWO/moved"
insecure = true`,
    references: ["r.example/team/app:1", "r.example/team/deep/app:1", `r.example/team/app@${DIGEST}`],
  },
  {
    name: "the longest prefix, in either order",
    conf: `[[registry]]
prefix = "r.example"
location = "ONE"
insecure = true
[[registry]]
prefix = "r.example/team"
location = "TWO"
insecure = true
[[registry]]
prefix = "r.example/te"
location = "ONE/short"
insecure = true`,
    references: ["r.example/app:1", "r.example/team/app:1", "r.example/teams/app:1", "r.example/te/app:1"],
  },
  {
    name: "mirrors in order",
    conf: `[[registry]]
prefix = "r.example"
location = "TWO/last"
insecure = true
[[registry.mirror]]
location = "ONE/a"
insecure = true
[[registry.mirror]]
location = "ONE/b"
insecure = true
[[registry.mirror]]
location = "TWO/c"
insecure = true`,
    references: ["r.example/app:1", `r.example/app@${DIGEST}`],
  },
  {
    name: "mirrors by digest only",
    conf: `[[registry]]
prefix = "r.example"
location = "TWO/last"
insecure = true
mirror-by-digest-only = true
[[registry.mirror]]
location = "ONE/a"
insecure = true`,
    references: [`r.example/app@${DIGEST}`],
  },
  {
    name: "all hosts of a domain",
    conf: `[[registry]]
prefix = "*.example"
location = "TWO"
insecure = true`,
    references: ["a.example/app:1", "a.b.example/team/app:1"],
  },
  {
    name: "blocked",
    conf: `[[registry]]
location = "TWO"
insecure = true
blocked = true`,
    references: ["TWO/app:1"],
  },
];

for (const { name, conf, references } of RULES) {
  test(`registries.conf: skopeo and we ask the same (${name})`, { skip }, async () => {
    await using root = await tempRoot();
    await using one = await HostileRegistry.listen();
    await using two = await HostileRegistry.listen();
    const file = root.join("registries.conf");
    const named = (text: string): string => text.replaceAll("ONE", one.address).replaceAll("TWO", two.address);
    await writeFile(file, named(conf));
    two.on("GET", /manifests/, reply(200, { "content-type": MEDIA_TYPES.manifest }, DOCUMENT));
    const asked = (): string[] => {
      const all = Object.entries({ one, two }).flatMap(([which, registry]) =>
        registry.seen("GET", /manifests/).map(({ path }) => `${which} ${path}`),
      );
      one.requests.length = 0;
      two.requests.length = 0;
      return all;
    };
    for (const reference of references.map(named)) {
      const theirs = await skopeo(reference, ["--registries-conf", file]);
      const theirPlaces = asked();
      await using client = new RegistryClient({
        registries: () => readRegistriesConf({ main: [file], dropIns: [] }),
        retry: { attempts: 1 },
      });
      const ours = await client.manifest(scope, parseReference(reference)).then(
        () => "found",
        (error: unknown) => (isTeuError(error) ? error.code : String(error)),
      );
      assert.deepEqual(asked(), theirPlaces, `${reference}: ${theirs}`);
      assert.equal(theirPlaces.length > 0, name !== "blocked", theirs);
      if (name === "blocked") assert.match(theirs, /blocked/);
      const wanted =
        name === "blocked" ? "denied" : theirPlaces.at(-1)?.startsWith("two") === true ? "found" : "not-found";
      assert.equal(ours, wanted, reference);
    }
  });
}

test("proxy variables: skopeo and we go through the proxy for the same hosts", { skip }, async () => {
  const tunnels: string[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    tunnels.push(request.url ?? "");
    socket.end("HTTP/1.1 403 no\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  // What is not sent to the proxy must fail at once: names that do not exist, addresses of this machine's own.
  const cases: readonly [string, string][] = [
    ["", "r.invalid"],
    ["r.invalid", "r.invalid"],
    ["r.invalid", "sub.r.invalid"],
    ["r.invalid", "other-r.invalid"],
    [".r.invalid", "sub.r.invalid"],
    [".r.invalid", "r.invalid"],
    ["*.r.invalid", "sub.r.invalid"],
    ["*.r.invalid", "r.invalid"],
    [" a.invalid , R.INVALID ", "r.invalid"],
    ["r.invalid:443", "r.invalid"],
    ["r.invalid:444", "r.invalid"],
    ["r.invalid:5000", "r.invalid:5000"],
    ["r.invalid:5000", "r.invalid"],
    ["*", "r.invalid"],
    ["nothing,,", "r.invalid"],
    ["10.0.0.0/8", "r.invalid"],
    ["", "localhost:1"],
    ["", "127.0.0.2:1"],
    ["127.0.0.2", "127.0.0.1:1"],
  ];
  try {
    for (const [exceptions, host] of cases) {
      for (const env of [
        { HTTPS_PROXY: address, NO_PROXY: exceptions },
        { https_proxy: address, no_proxy: exceptions },
      ]) {
        tunnels.length = 0;
        const said = await skopeo(`${host}/app:1`, [], env);
        const ours = proxyFor(new URL(`https://${host}/v2/`), env) !== null;
        assert.equal(ours, tunnels.length > 0, `NO_PROXY=${exceptions} ${host}: ${said}`);
      }
    }
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});
