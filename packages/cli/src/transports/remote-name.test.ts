import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { referenceName, referenceText } from "@teu/image/reference";
import { parseExactReference, parseRegistry, parseRepository } from "./remote-name.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const isUsage = (error: unknown): boolean => isTeuError(error, "invalid") && error.detail["usage"] === true;

test("parseRepository: takes repositories only", () => {
  for (const [text, wanted] of [
    ["alpine", "docker.io/library/alpine"],
    ["docker://quay.io/a/b", "quay.io/a/b"],
    ["localhost:5000/a", "localhost:5000/a"],
    ["[::1]:5000/a", "[::1]:5000/a"],
  ] as const)
    assert.equal(referenceName(parseRepository(text)), wanted);
  for (const text of ["alpine:3", "localhost:5000/a:1", `a@${DIGEST}`, `localhost:5000/a@${DIGEST}`])
    assert.throws(() => parseRepository(text), isUsage, text);
});

test("parseExactReference: adds no tag", () => {
  for (const text of ["quay.io/a:1", `quay.io/a@${DIGEST}`, "docker://localhost:5000/a/b:1"])
    assert.equal(referenceText(parseExactReference(text)), text.replace("docker://", ""));
  for (const text of ["alpine", "localhost:5000/a", "quay.io/a/b"])
    assert.throws(() => parseExactReference(text), isUsage, text);
});

test("parseRegistry: hosts and pasted URLs", () => {
  for (const [text, wanted] of [
    ["localhost:5000", "localhost:5000"],
    ["https://quay.io/", "quay.io"],
    ["docker://[::1]:5000", "[::1]:5000"],
  ] as const)
    assert.equal(parseRegistry(text), wanted);
  for (const text of ["", "quay.io/a", "a b", "user@host"]) assert.throws(() => parseRegistry(text), isUsage, text);
});
