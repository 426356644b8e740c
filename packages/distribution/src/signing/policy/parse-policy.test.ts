// policy.json: what it may say, and that everything else makes it unusable.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";

import { parsePolicy } from "./parse-policy.ts";

const ACCEPT = { type: "insecureAcceptAnything" };
const KEY = { type: "sigstoreSigned", keyPath: "/etc/keys/cosign.pub" };
const GPG = { type: "signedBy", keyType: "GPGKeys", keyPath: "/etc/keys/gpg" };

function parse(document: unknown): ReturnType<typeof parsePolicy> {
  return parsePolicy(Buffer.from(typeof document === "string" ? document : JSON.stringify(document)), "policy.json");
}

test("parsePolicy: everything that containers-policy.json(5) knows", () => {
  const identities = [
    { type: "matchExact" },
    { type: "matchRepoDigestOrExact" },
    { type: "matchRepository" },
    { type: "exactReference", dockerReference: "quay.io/team/app:v1" },
    { type: "exactRepository", dockerRepository: "quay.io/team/app" },
    { type: "remapIdentity", prefix: "mirror:5000/quay", signedPrefix: "quay.io" },
  ];
  const policy = parse({
    default: [{ type: "reject" }],
    transports: {
      docker: {
        "": [ACCEPT, { type: "reject" }],
        "quay.io/team": identities.map((signedIdentity) => ({ ...KEY, signedIdentity })),
        "*.example.com": [{ type: "sigstoreSigned", keyData: Buffer.from("pem").toString("base64") }],
        "host/several": [{ type: "sigstoreSigned", keyPaths: ["/a", "/b"], rekorPublicKeyPath: "/rekor" }],
      },
      "docker-daemon": { "": [ACCEPT] },
      dir: { "/var/images": [ACCEPT] },
      "a-transport-of-tomorrow": { "any scope": [ACCEPT] },
    },
  });
  assert.deepEqual(policy.fallback, [{ type: "reject" }]);
  const docker = policy.transports.get("docker");
  const parsed = docker?.get("quay.io/team")?.map((one) => (one.type === "sigstoreSigned" ? one.signedIdentity : null));
  assert.deepEqual(parsed, identities);
  assert.deepEqual(docker?.get("*.example.com"), [
    {
      type: "sigstoreSigned",
      authority: null,
      keys: [{ data: Buffer.from("pem") }],
      logs: [],
      signedIdentity: { type: "matchRepoDigestOrExact" },
    },
  ]);
  assert.deepEqual(docker?.get("host/several"), [
    {
      type: "sigstoreSigned",
      authority: null,
      keys: [{ path: "/a" }, { path: "/b" }],
      logs: [{ path: "/rekor" }],
      signedIdentity: { type: "matchRepoDigestOrExact" },
    },
  ]);
});

test("parsePolicy: what is well-formed and cannot be found out is kept as that", () => {
  const cases = [
    ...["signedByGPGKeys", "X509Certificates", "signedByX509CAs"].map((keyType) => ({ ...GPG, keyType })),
    { type: "signedBaseLayer", baseLayerIdentity: { type: "matchExact" } },
  ];
  for (const one of cases) assert.equal(parse({ default: [one] }).fallback[0]?.type, "unevaluable", one.type);
});

test("parsePolicy: keyrings of GPG", () => {
  const of = (one: object) => parse({ default: [{ type: "signedBy", keyType: "GPGKeys", ...one }] }).fallback[0];
  const signedIdentity = { type: "matchRepoDigestOrExact" };
  const data = Buffer.from([0x99, 0x00]);
  for (const [given, keys] of [
    [{ keyPath: "/a" }, [{ path: "/a" }]],
    [{ keyPaths: ["/a", "/b"] }, [{ path: "/a" }, { path: "/b" }]],
    [{ keyData: data.toString("base64") }, [{ data }]],
  ] as const)
    assert.deepEqual(of(given), { type: "signedBy", keys, signedIdentity });
  const identity = { type: "matchRepository" };
  assert.deepEqual(of({ keyPath: "/a", signedIdentity: identity }), {
    type: "signedBy",
    keys: [{ path: "/a" }],
    signedIdentity: identity,
  });
});

const LOGGED = { type: "sigstoreSigned", rekorPublicKeyPath: "/rekor" };
const FULCIO = { caPath: "/ca", oidcIssuer: "https://issuer", subjectEmail: "a@b" };
const PKI = { caRootsPath: "/ca", subjectEmail: "a@b" };

test("parsePolicy: authorities instead of keys", () => {
  const of = (one: object) => parse({ default: [one] }).fallback[0];
  const fulcio = of({ ...LOGGED, fulcio: FULCIO });
  assert.ok(fulcio?.type === "sigstoreSigned");
  assert.deepEqual([fulcio.authority?.kind, fulcio.authority?.signer.oidcIssuer], ["fulcio", "https://issuer"]);
  const pki = of({ type: "sigstoreSigned", pki: { ...PKI, caIntermediatesPath: "/between", subjectHostname: "c.d" } });
  assert.ok(pki?.type === "sigstoreSigned");
  assert.deepEqual(pki.authority?.intermediates, { path: "/between" });
  assert.deepEqual(pki.authority?.signer, { oidcIssuer: null, email: "a@b", hostname: "c.d" });
});

test("parsePolicy: anything else makes the whole file unusable", () => {
  const inDocker = (scope: string, requirements: unknown): object => ({
    default: [ACCEPT],
    transports: { docker: { [scope]: requirements } },
  });
  const identity = (signedIdentity: unknown): object => ({ default: [{ ...KEY, signedIdentity }] });
  const cases: readonly [string, unknown][] = [
    ["empty", ""],
    ["no JSON", "{"],
    ["a comment", '{"default":[{"type":"reject"}] /* no */}'],
    ["a list", []],
    ["without default", {}],
    ["with an empty default", { default: [] }],
    ["with a default that is no list", { default: ACCEPT }],
    ["with a requirement that is a text", { default: ["reject"] }],
    ["with something unknown", { default: [ACCEPT], Transports: {} }],
    ["with default twice", '{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}'],
    [
      "with a scope twice",
      '{"default":[{"type":"reject"}],"transports":{"docker":{"a":[{"type":"reject"}],"a":[{"type":"insecureAcceptAnything"}]}}}',
    ],
    ["with transports that are a list", { default: [ACCEPT], transports: [] }],
    ["with a transport that is null", { default: [ACCEPT], transports: { docker: null } }],
    ["with an empty scope's list", inDocker("quay.io", [])],
    ["with an unknown type", inDocker("quay.io", [{ type: "acceptAnything" }])],
    ["without type", inDocker("quay.io", [{}])],
    ["with more in accept", { default: [{ ...ACCEPT, keyPath: "/a" }] }],
    ["sigstoreSigned without key", { default: [{ type: "sigstoreSigned" }] }],
    ["sigstoreSigned with two sources", { default: [{ ...KEY, keyData: "AAAA" }] }],
    ["sigstoreSigned with key and fulcio", { default: [{ ...KEY, fulcio: FULCIO }] }],
    ["fulcio without log", { default: [{ type: "sigstoreSigned", fulcio: FULCIO }] }],
    ["fulcio without issuer", { default: [{ ...LOGGED, fulcio: { caPath: "/ca", subjectEmail: "a@b" } }] }],
    ["fulcio with an empty e-mail", { default: [{ ...LOGGED, fulcio: { ...FULCIO, subjectEmail: "" } }] }],
    ["fulcio without authority", { default: [{ ...LOGGED, fulcio: { oidcIssuer: "a", subjectEmail: "a@b" } }] }],
    ["fulcio and pki", { default: [{ ...LOGGED, fulcio: FULCIO, pki: PKI }] }],
    ["pki and a log", { default: [{ ...LOGGED, pki: PKI }] }],
    ["pki of nobody", { default: [{ type: "sigstoreSigned", pki: { caRootsPath: "/ca" } }] }],
    ["pki of any host", { default: [{ type: "sigstoreSigned", pki: { ...PKI, subjectHostname: ".b" } }] }],
    ["pki with an issuer", { default: [{ type: "sigstoreSigned", pki: { ...PKI, oidcIssuer: "a" } }] }],
    ["sigstoreSigned with a relative key", { default: [{ type: "sigstoreSigned", keyPath: "cosign.pub" }] }],
    ["sigstoreSigned with no paths", { default: [{ type: "sigstoreSigned", keyPaths: [] }] }],
    ["sigstoreSigned with a path that is a list", { default: [{ type: "sigstoreSigned", keyPath: ["/a"] }] }],
    ["sigstoreSigned with data that is not base64", { default: [{ type: "sigstoreSigned", keyData: "%" }] }],
    ["sigstoreSigned with something unknown", { default: [{ ...KEY, keypath: "/b" }] }],
    ["signedBy without keyType", { default: [{ type: "signedBy", keyPath: "/a" }] }],
    ["signedBy with another keyType", { default: [{ ...GPG, keyType: "PGP" }] }],
    ["signedBy with a keyType that is no text", { default: [{ ...GPG, keyType: ["GPGKeys"] }] }],
    ["signedBy with two sources", { default: [{ ...GPG, keyPaths: ["/b"] }] }],
    ["signedBy with no paths", { default: [{ type: "signedBy", keyType: "GPGKeys", keyPaths: [] }] }],
    ["signedBy with a relative key", { default: [{ ...GPG, keyPath: "keys.gpg" }] }],
    ["signedBy with keyDatas", { default: [{ type: "signedBy", keyType: "GPGKeys", keyDatas: ["AAAA"] }] }],
    ["signedBy with something unknown", { default: [{ ...GPG, rekorPublicKeyPath: "/a" }] }],
    ["signedBy without key", { default: [{ type: "signedBy", keyType: "GPGKeys" }] }],
    ["an identity of no type", identity({})],
    ["an identity of unknown type", identity({ type: "matchAnything" })],
    ["an identity with more", identity({ type: "matchExact", dockerReference: "a:b" })],
    ["an identity that is null", identity(null)],
    ["an exact reference without tag", identity({ type: "exactReference", dockerReference: "quay.io/a/b" })],
    ["an exact reference on a port, without tag", identity({ type: "exactReference", dockerReference: "host:5000/b" })],
    ["an exact repository that is none", identity({ type: "exactRepository", dockerRepository: "UPPER" })],
    ["a prefix with a tag", identity({ type: "remapIdentity", prefix: "quay.io/a:v1", signedPrefix: "b" })],
    ["a prefix that is empty", identity({ type: "remapIdentity", prefix: "", signedPrefix: "b" })],
    ["a path that is relative", { default: [ACCEPT], transports: { dir: { images: [ACCEPT] } } }],
    ["a path that is /", { default: [ACCEPT], transports: { dir: { "/": [ACCEPT] } } }],
    ["a path that leads up", { default: [ACCEPT], transports: { oci: { "/a/../b": [ACCEPT] } } }],
    ["two megabytes", { default: [ACCEPT], transports: { docker: { [`quay.io/${"a".repeat(2 << 20)}`]: [ACCEPT] } } }],
  ];
  for (const [name, document] of cases) {
    assert.throws(
      () => parse(document),
      (error) => isTeuError(error, "invalid") && error.subject === "policy.json" && error.hint !== undefined,
      name,
    );
  }
});
