import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { TestAuthority } from "@teu/testkit/certificates";
import { tempRoot } from "@teu/testkit/temp-root";

import { endpointsIn, hostsDirectories } from "./hosts-toml.ts";

test("endpointsIn: everything that containerd's hosts.toml may say", async () => {
  await using root = await tempRoot();
  const authority = new TestAuthority();
  const pair = authority.issue();
  await mkdir(root.join("r.example"));
  await writeFile(root.join("r.example/ca.pem"), authority.cert);
  await writeFile(root.join("r.example/c.cert"), pair.cert);
  await writeFile(root.join("r.example/c.key"), pair.key);
  await writeFile(root.join("both.pem"), pair.cert + pair.key);
  await writeFile(
    root.join("r.example/hosts.toml"),
    `server = "https://origin.example"
capabilities = ["push"]
[host."https://one.example:5000"]
  capabilities = ["pull", "resolve", "referrers"]
  ca = "ca.pem"
  client = [["c.cert", "c.key"], "../both.pem", ["../both.pem", ""]]
  dial_timeout = "1m2.5s"
[host."two.example/v2/hub"]
  override_path = true
  skip_verify = true
  ca = ["ca.pem", "${root.join("r.example/ca.pem")}"]
  [host."two.example/v2/hub".header]
    X-A = "1"
    x-b = ["2", "3"]
[host."http://three.example/x/"]
`,
  );
  const client = { cert: pair.cert, key: pair.key };
  const both = { cert: pair.cert + pair.key, key: pair.cert + pair.key };
  const all = new Set(["pull", "resolve", "push"]);
  assert.deepEqual(await endpointsIn([root.path])("r.example"), [
    {
      root: new URL("https://one.example:5000/v2/"),
      capabilities: new Set(["pull", "resolve"]),
      headers: {},
      tls: { authorities: [authority.cert], clients: [client, both, both], skipVerify: false },
      connectTimeout: 62_500,
    },
    {
      root: new URL("https://two.example/v2/hub/"),
      capabilities: all,
      headers: { "x-a": "1", "x-b": "2, 3" },
      tls: { authorities: [authority.cert, authority.cert], clients: [], skipVerify: true },
      connectTimeout: undefined,
    },
    {
      root: new URL("http://three.example/x/v2/"),
      capabilities: all,
      headers: {},
      tls: null,
      connectTimeout: undefined,
    },
    {
      root: new URL("https://origin.example/v2/"),
      capabilities: new Set(["push"]),
      headers: {},
      tls: null,
      connectTimeout: undefined,
    },
  ]);
});

test("endpointsIn: the host's own directories first, then _default; the form without a colon too", async () => {
  await using root = await tempRoot();
  const put = async (place: string, server: string): Promise<void> => {
    await mkdir(root.join(place), { recursive: true });
    await writeFile(root.join(`${place}/hosts.toml`), `server = "https://${server}"`);
  };
  const servers = async (host: string): Promise<readonly (string | undefined)[] | undefined> =>
    (await endpointsIn([root.join("one"), root.join("two")])(host))?.map((endpoint) => endpoint.root?.host);
  assert.equal(await servers("h:5000"), undefined);
  await put("one/_default", "default");
  await put("two/h:5000", "colon");
  assert.deepEqual(await servers("h:5000"), ["colon"]);
  assert.deepEqual(await servers("h"), ["default"]);
  await put("two/h_5000_", "underscores");
  assert.deepEqual(await servers("h:5000"), ["underscores"]);
  await put("secret", "x");
  for (const host of ["..", "../secret", "_default"]) assert.equal(await servers(host), undefined, host);
});

test("endpointsIn: what makes no sense is named with its place", async () => {
  await using root = await tempRoot();
  await mkdir(root.join("h"));
  for (const [text, wanted] of [
    ["[", /line 1 is not TOML/],
    ["server = 1", /server must be text/],
    ['[host."https://u:p@m"]', /user or password/],
    ['[host."https://m?x=1"]', /query/],
    ['[host."https://m"]\ncapabilities = ["fly"]', /host."https:\/\/m".capabilities has "fly"/],
    ['[host."https://m"]\nskip_verify = "yes"', /skip_verify must be true or false/],
    ['[host."https://m"]\nca = "missing.pem"', /missing.pem/],
    ['[host."https://m"]\nclient = [["a", "b", "c"]]', /client must be/],
    ['[host."https://m"]\ndial_timeout = "soon"', /dial_timeout/],
    ['[host."https://m".header]\nx = "a\\r\\nb: c"', /end a header/],
    ['[host."https://m".header]\nhost = "a"', /may not be set/],
    ['[host."https://m".header]\n"a b" = "a"', /may not be set/],
    ["__proto__ = 1", /not TOML/],
    ["host = 1", /host must be a table/],
  ] as const) {
    await writeFile(root.join("h/hosts.toml"), text);
    await assert.rejects(
      endpointsIn([root.path])("h"),
      (error) => isTeuError(error) && ["invalid", "denied"].includes(error.code) && wanted.test(error.message),
      text,
    );
  }
});

test("hostsDirectories: one's own, then the machine's, containerd's last", () => {
  assert.deepEqual(hostsDirectories({ HOME: "/home/me" }), [
    "/home/me/.config/containers/certs.d",
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
    "/etc/containerd/certs.d",
  ]);
});
