import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";

import { TestAuthority } from "./certificates.ts";

test("TestAuthority: issues certificates that node accepts as its own", () => {
  const authority = new TestAuthority();
  const { cert, key } = authority.issue({ names: ["a.example", "10.0.0.1"], to: new Date("2040-02-03T04:05:06Z") });
  const [root, leaf] = [new X509Certificate(authority.cert), new X509Certificate(cert)];
  assert.ok(leaf.verify(root.publicKey) && leaf.checkIssued(root) && root.ca && !leaf.ca);
  assert.equal(leaf.subjectAltName, "DNS:a.example, IP Address:10.0.0.1");
  assert.equal(leaf.validToDate.toISOString(), "2040-02-03T04:05:06.000Z");
  assert.match(key, /PRIVATE KEY/);
  assert.equal(leaf.verify(new X509Certificate(new TestAuthority().cert).publicKey), false);
});
