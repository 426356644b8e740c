// Which part of a policy applies, and which names of signatures fit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReference } from "@teu/image/reference";

import { parsePolicy } from "./parse-policy.ts";
import { daemonSubject, fileSubject, registrySubject, requirementsFor } from "./policy-scopes.ts";
import type { SignedIdentity } from "./policy.ts";
import { fitsIdentity } from "./signed-identity.ts";

const HEX = "a".repeat(64);

test("registrySubject: scopes from the image to the domains above its host", () => {
  const cases: readonly [string, readonly string[]][] = [
    [
      "busybox",
      ["docker.io/library/busybox:latest", "docker.io/library/busybox", "docker.io/library", "docker.io", "*.io"],
    ],
    [
      "a.b.example.com:5000/x/y:1",
      [
        "a.b.example.com:5000/x/y:1",
        "a.b.example.com:5000/x/y",
        "a.b.example.com:5000/x",
        "a.b.example.com:5000",
        "*.b.example.com",
        "*.example.com",
        "*.com",
      ],
    ],
    [`localhost:5000/app@sha256:${HEX}`, [`localhost:5000/app@sha256:${HEX}`, "localhost:5000/app", "localhost:5000"]],
    // With a digest the tag decides nothing.
    [
      `localhost:5000/app:v1@sha256:${HEX}`,
      [`localhost:5000/app@sha256:${HEX}`, "localhost:5000/app", "localhost:5000"],
    ],
    ["[::1]:5000/app:v1", ["[::1]:5000/app:v1", "[::1]:5000/app", "[::1]:5000"]],
  ];
  for (const [text, scopes] of cases)
    assert.deepEqual(registrySubject(parseReference(text), text).scopes, scopes, text);
});

test("daemonSubject: scopes as on registries, none for an id", () => {
  const reference = parseReference("busybox:1");
  const scopes = ["docker.io/library/busybox:1", "docker.io/library/busybox", "docker.io/library", "docker.io", "*.io"];
  assert.deepEqual(daemonSubject(reference, "x"), { transport: "docker-daemon", text: "x", reference, scopes });
  assert.deepEqual(daemonSubject(null, "x").scopes, []);
});

test("requirementsFor: only the most specific scope counts", () => {
  const type = (name: string): string => (name === "accept" ? "insecureAcceptAnything" : name);
  const scopes = {
    "": "reject",
    "quay.io": "accept",
    "quay.io/team": "reject",
    "quay.io/team/app": "accept",
    "quay.io/team/app:bad": "reject",
    "*.example.com": "accept",
    "x.example.com": "reject",
  };
  const policy = parsePolicy(
    Buffer.from(
      JSON.stringify({
        default: [{ type: "insecureAcceptAnything" }],
        transports: {
          docker: Object.fromEntries(Object.entries(scopes).map(([scope, name]) => [scope, [{ type: type(name) }]])),
          oci: {
            "/srv/good": [{ type: "insecureAcceptAnything" }],
            "/srv": [{ type: "reject" }],
            "/srv/good:v1": [{ type: "reject" }],
          },
        },
      }),
    ),
    "policy.json",
  );
  const cases: readonly [string, string, string][] = [
    ["quay.io/team/app:v1", "accept", "docker:quay.io/team/app"],
    ["quay.io/team/app:bad", "reject", "docker:quay.io/team/app:bad"],
    // Asked for by digest, the scope of a tag does not apply.
    [`quay.io/team/app:bad@sha256:${HEX}`, "accept", "docker:quay.io/team/app"],
    ["quay.io/team/other:v1", "reject", "docker:quay.io/team"],
    ["quay.io/teams/other:v1", "accept", "docker:quay.io"],
    ["quay.io.evil.org/team/app:v1", "reject", "docker:"],
    ["y.example.com/app:v1", "accept", "docker:*.example.com"],
    ["x.example.com/app:v1", "reject", "docker:x.example.com"],
    ["x.example.com:5000/app:v1", "accept", "docker:*.example.com"],
    ["example.com/app:v1", "reject", "docker:"],
    ["quay.io:443/app:v1", "reject", "docker:"],
  ];
  for (const [text, wanted, where] of cases) {
    const chosen = requirementsFor(policy, registrySubject(parseReference(text), text));
    assert.deepEqual([chosen.requirements[0]?.type, chosen.where], [type(wanted), where], text);
  }
  const files: readonly [string, string, string][] = [
    ["oci", "/srv/good", "oci:/srv/good"],
    ["oci", "/srv/goodness", "oci:/srv"],
    ["oci", "/srv/good/deep", "oci:/srv/good"],
    ["oci", "/other", "default"],
    ["dir", "/srv/good", "default"],
    ["docker-archive", "", "default"],
  ];
  for (const [transport, path, where] of files)
    assert.equal(requirementsFor(policy, fileSubject(transport, path, path)).where, where, `${transport}:${path}`);
});

test("fitsIdentity: as containers/image compares names", () => {
  const exact: SignedIdentity = { type: "matchExact" };
  const digestOrExact: SignedIdentity = { type: "matchRepoDigestOrExact" };
  const repository: SignedIdentity = { type: "matchRepository" };
  const toReference: SignedIdentity = { type: "exactReference", dockerReference: "busybox:1" };
  const toRepository: SignedIdentity = { type: "exactRepository", dockerRepository: "docker.io/library/busybox" };
  const remap: SignedIdentity = { type: "remapIdentity", prefix: "mirror:5000/hub", signedPrefix: "docker.io/library" };
  const digest = `@sha256:${HEX}`;
  const cases: readonly [SignedIdentity, string | null, string | null, boolean][] = [
    [exact, "busybox:1", "docker.io/library/busybox:1", true],
    [exact, "busybox:1", "busybox:1", true],
    [exact, "busybox:1", "busybox:2", false],
    [exact, "busybox:latest", "busybox", false],
    [exact, `busybox${digest}`, `busybox${digest}`, true],
    [exact, `busybox${digest}`, "busybox:1", false],
    [digestOrExact, "busybox:1", "busybox:1", true],
    [digestOrExact, "busybox:1", "busybox:2", false],
    [digestOrExact, "busybox:1", "busybox", false],
    [digestOrExact, `busybox${digest}`, "busybox:2", true],
    [digestOrExact, `busybox${digest}`, "busybox", false],
    [digestOrExact, `busybox:1${digest}`, "busybox:1", true],
    [digestOrExact, `busybox:1${digest}`, "busybox:2", false],
    [digestOrExact, "host/busybox:1", "busybox:1", false],
    [repository, "busybox:1", "busybox", true],
    [repository, "busybox:1", "busybox:2", true],
    [repository, "busybox:1", "busybox2:1", false],
    [repository, "host:5000/app:1", "host:5000/app", true],
    [repository, "host:5000/app:1", "host:5001/app", false],
    [toReference, "mirror/any:x", "busybox:1", true],
    [toReference, null, "busybox:1", true],
    [toReference, "busybox:1", "busybox:2", false],
    [toReference, "busybox:1", "busybox", false],
    [toRepository, null, "busybox:7", true],
    [toRepository, "mirror/any:x", "busybox", true],
    [toRepository, "busybox:1", "docker.io/library/busybox2", false],
    [remap, "mirror:5000/hub/busybox:1", "busybox:1", true],
    [remap, "mirror:5000/hub/busybox:1", "mirror:5000/hub/busybox:1", false],
    [remap, "mirror:5000/hubris/busybox:1", "busybox:1", false],
    [remap, "mirror:5000/hubris/busybox:1", "mirror:5000/hubris/busybox:1", true],
    [remap, `mirror:5000/hub/busybox${digest}`, "busybox:9", true],
    [remap, "mirror:5000/hub/busybox:1", "busybox", false],
  ];
  for (const [identity, image, claimed, wanted] of cases) {
    const asked = image === null ? null : parseReference(image);
    assert.equal(fitsIdentity(identity, asked, claimed), wanted, `${identity.type} ${image} ${claimed}`);
  }
  for (const identity of [exact, digestOrExact, repository, toReference, toRepository, remap]) {
    for (const claimed of [null, "", "UPPER/case", "a b", "../..", "x".repeat(2000)])
      assert.equal(fitsIdentity(identity, parseReference("busybox:1"), claimed), false, `${identity.type} ${claimed}`);
  }
  for (const identity of [exact, digestOrExact, repository, remap])
    assert.equal(fitsIdentity(identity, null, "busybox:1"), false, `${identity.type} without a name`);
});
