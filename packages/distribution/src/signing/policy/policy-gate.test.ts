// There is a gate exactly where something is to be looked at.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { parseReference } from "@teu/image/reference";

import type { SignaturePlace } from "../signature-place.ts";
import { policyGate } from "./policy-gate.ts";
import { registrySubject } from "./policy-scopes.ts";

const ACCEPT = { type: "insecureAcceptAnything" };
const REJECT = { type: "reject" };
/** Nobody asks it: nothing is signed. */
const PLACE = {} as SignaturePlace;

test("policyGate: none where everything is taken, one where anything else is asked for, of the scope that counts", async () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-gate-"));
  try {
    const file = join(directory, "policy.json");
    const gate = (policy: unknown, name: string): ReturnType<typeof policyGate> => {
      writeFileSync(file, JSON.stringify(policy));
      return policyGate({ home: undefined, file }, registrySubject(parseReference(name), name), PLACE);
    };
    const name = "localhost:5000/app:1";
    assert.equal(await gate({ default: [ACCEPT] }, name), undefined);
    const scoped = { default: [ACCEPT], transports: { docker: { "localhost:5000/app": [ACCEPT, REJECT] } } };
    assert.equal(await gate(scoped, "localhost:5000/other:1"), undefined);
    const found = await gate(scoped, name);
    await assert.rejects(
      async () => found?.(createScope(), []),
      (error) => isTeuError(error, "denied"),
    );
    assert.notEqual(await gate({ default: [REJECT] }, name), undefined);
    assert.equal(
      await gate({ default: [REJECT], transports: { docker: { "localhost:5000": [ACCEPT] } } }, name),
      undefined,
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
