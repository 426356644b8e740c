import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import Ajv from "ajv/dist/2020.js";

import { configOptions } from "./config-options.ts";
import { environmentKeys } from "./environment-keys.ts";
import { parseConfig } from "./read-config.ts";
import { CONFIG_SCHEMA } from "./schema.ts";

function faultsOf(text: string, environment: Record<string, string> = {}): string {
  try {
    parseConfig("/etc/r.yaml", text, environment);
  } catch (error) {
    assert.ok(isTeuError(error, "invalid"), String(error));
    return error.message;
  }
  return "";
}

test("parseConfig: what is written becomes options, with paths from the file's directory", () => {
  const text = `
address: :443
root: data
drain: 1m
tls: { cert: cert.pem, key: /keys/key.pem, minVersion: "1.3" }
users:
  htpasswd: users
  attempts: { longest: 30s }
storage: { grace: 2h, dryRun: true, history: { keepLatest: 5, within: 1d } }
groups: { devs: [ann, bob] }
rules:
  - repositories: &all ["**"]
    authenticated: [read]
  - repositories: [team/**]
    groups: { devs: [all] }
immutable:
  - repositories: *all
    tags: [v*]
`;
  assert.deepEqual(configOptions(parseConfig("/etc/teu/r.yaml", text), "/etc/teu"), {
    address: ":443",
    root: "/etc/teu/data",
    readOnly: false,
    deletes: true,
    sparse: false,
    drain: 60_000,
    grace: 7_200_000,
    dryRun: true,
    history: { keepLatest: 5, within: 86_400_000 },
    tls: { cert: "/etc/teu/cert.pem", key: "/keys/key.pem", minVersion: "TLSv1.3" },
    htpasswd: "/etc/teu/users",
    attempts: { longest: 30_000 },
    groups: { devs: ["ann", "bob"] },
    rules: [
      { repositories: ["**"], authenticated: ["read"] },
      { repositories: ["team/**"], groups: { devs: ["all"] } },
    ],
    immutable: [{ repositories: ["**"], tags: ["v*"] }],
  });
});

test("parseConfig: every fault is told at once, with line, path and value", () => {
  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    ["memory: true\nadress: x", /line 2: adress is no key here; known are address, root/],
    ["memory: true\nreadOnly: maybe", /line 2: readOnly is "maybe", want true or false/],
    ["memory: true\ndrain: 10", /line 2: drain is 10, want a duration as text, such as "2h"/],
    ["memory: true\ndrain: soon", /line 2: drain is "soon", want a duration as text, such as "2h"/],
    ["memory: true\nlimits:\n  uploads: 0", /line 3: limits\.uploads 0 is less than 1/],
    ["memory: true\nlimits:\n  uploads: 1.5", /line 3: limits\.uploads is 1\.5, want a whole number/],
    [
      "memory: true\nrules:\n- repositories: [a]\n  users: {ann: [read, fly]}",
      /line 4: rules\[0\]\.users\.ann\[1\] "fly" is none of/,
    ],
    ["memory: true\nrules:\n- anonymous: [read]", /line 3: rules\[0\]\.repositories is missing/],
    ["memory: true\nrules:\n- repositories: []", /line 3: rules\[0\]\.repositories must not be empty/],
    ["memory: true\nrules:\n- repositories: ['a b']", /rules\[0\]\.repositories\[0\] is "a b", want a pattern/],
    ["memory: true\ntls: {cert: c}", /tls\.key is missing/],
    ["memory: true\ntls: [c]", /line 2: tls is a list, want a mapping/],
    ["memory: true\nusers:", /users is null, want a mapping/],
    ["memory: true\nmemory: false", /line 2: Map keys must be unique/],
    ["memory: true\n  x: [", /line \d+: /],
    ["[]", /is a list, want a mapping/],
    ["", /root either this or memory: true/],
    ["root: a\nmemory: true", /root either this or memory: true/],
    [
      "memory: true\nrules: []\nusers: {htpasswd: u, anonymousPull: true}",
      /users\.anonymousPull is for a registry without rules/,
    ],
    ["memory: true\ntokens: {}", /tokens needs users/],
    [
      "memory: true\ntls: {cert: c, key: k, clientCertificates: required}",
      /tls\.clientCertificates needs tls\.clientCa/,
    ],
    [
      "memory: true\nrules: [{repositories: [a]}, {repositories: [b, a]}]",
      /rules\[1\]\.repositories "a" was there before/,
    ],
    ["memory: true\nrules: [{repositories: [a], groups: {devs: [read]}}]", /rules\[0\]\.groups\.devs is no group/],
    ["memory: true\nproxies: [{prefix: a, upstream: b.c, username: u}]", /proxies\[0\] username goes with/],
    [
      "memory: true\nproxies: [{prefix: A, upstream: b.c}]",
      /line 2: proxies\[0\]\.prefix is "A", want the beginning of repository names, such as "hub"/,
    ],
    [
      "memory: true\nwebhooks: [{name: a, url: ftp://user:hidden@x}]",
      /line 2: webhooks\[0\]\.url is not shown here, want an http or https URL, such as "https:\/\/hooks/,
    ],
    ["memory: true\nusers: {htpasswd: ''}", /users\.htpasswd "" is empty/],
    ["memory: true\n__proto__: {x: 1}", /__proto__ is no key here/],
  ];
  for (const [text, message] of cases) assert.match(faultsOf(text), message, text);
  const both = faultsOf("a: 1\nb: 2\nmemory: 3");
  for (const line of ["line 1: a", "line 2: b", "line 3: memory"]) assert.ok(both.includes(line), both);
  assert.ok(both.includes("/etc/r.yaml"));
});

test("parseConfig: the environment goes before the file; wrong names and values are told", () => {
  const config = parseConfig("f", "root: /a\nusers: {htpasswd: u}", {
    TEU_REGISTRY_ROOT: "0123",
    TEU_REGISTRY_READ_ONLY: "true",
    TEU_REGISTRY_USERS_ATTEMPTS_PER_USER: "3",
    TEU_REGISTRY_GROUPS: "{devs: [ann]}",
  });
  assert.deepEqual(config, {
    root: "0123",
    readOnly: true,
    users: { htpasswd: "u", attempts: { perUser: 3 } },
    groups: { devs: ["ann"] },
  });
  assert.match(faultsOf("memory: true", { TEU_REGISTRY_ROOTS: "x" }), /"TEU_REGISTRY_ROOTS".*stands for no key/);
  assert.match(faultsOf("memory: true", { TEU_REGISTRY_READ_ONLY: "x" }), /"TEU_REGISTRY_READ_ONLY".*readOnly is "x"/);
  assert.match(faultsOf("memory: true", { TEU_REGISTRY_TLS_CERT: "x" }), /tls\.key is missing/);
  assert.equal(new Set(environmentKeys().keys()).size, environmentKeys().size);
});

test("CONFIG_SCHEMA: is a JSON schema by its own rules, and judges as ours does", () => {
  const ajv = new Ajv.Ajv2020({ strict: false });
  const valid = ajv.compile(CONFIG_SCHEMA);
  assert.equal(valid({ memory: true, drain: "10s" }), true);
  for (const wrong of [
    { memory: 1 },
    { drain: "soon" },
    { x: 1 },
    { rules: [{}] },
    { requests: { perUser: { rate: 0, burst: 1 } } },
  ])
    assert.equal(valid(wrong), false, JSON.stringify(wrong));
});
