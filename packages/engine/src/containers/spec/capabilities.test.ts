import assert from "node:assert/strict";
import { test } from "node:test";

import { CAPABILITIES } from "@teu/specs/capabilities";

import {
  capabilitiesOfMask,
  capabilityNames,
  capabilitySets,
  DEFAULT_CAPABILITIES,
  normaliseCapability,
} from "./capabilities.ts";

const HAVE = CAPABILITIES.filter((name) => name !== "CAP_SYS_RESOURCE");

test("capabilityNames: Docker's arithmetic", () => {
  const without = (name: string) => DEFAULT_CAPABILITIES.filter((one) => one !== name);
  const cases: { name: string; add?: string[]; drop?: string[]; privileged?: boolean; want: readonly string[] }[] = [
    { name: "default", want: DEFAULT_CAPABILITIES },
    { name: "add", add: ["CAP_SYS_TIME"], want: [...DEFAULT_CAPABILITIES, "CAP_SYS_TIME"] },
    { name: "drop", drop: ["CAP_CHOWN"], want: without("CAP_CHOWN") },
    { name: "drop all", drop: ["ALL"], want: [] },
    { name: "drop all, add one", drop: ["ALL"], add: ["CAP_CHOWN"], want: ["CAP_CHOWN"] },
    { name: "add all", add: ["ALL"], want: HAVE },
    { name: "add all, drop one", add: ["ALL"], drop: ["CAP_CHOWN"], want: HAVE.filter((one) => one !== "CAP_CHOWN") },
    { name: "privileged", privileged: true, drop: ["CAP_CHOWN"], want: HAVE },
  ];
  for (const { name, add = [], drop = [], privileged = false, want } of cases) {
    assert.deepEqual(new Set(capabilityNames({ privileged, capAdd: add, capDrop: drop }, HAVE)), new Set(want), name);
  }
  assert.throws(() => capabilityNames({ privileged: false, capAdd: ["CAP_SYS_RESOURCE"], capDrop: [] }, HAVE), {
    code: "unsupported",
  });
});

test("capabilitySets: a user other than root holds none", () => {
  assert.deepEqual(capabilitySets(["CAP_KILL"], 0), {
    bounding: ["CAP_KILL"],
    effective: ["CAP_KILL"],
    permitted: ["CAP_KILL"],
    inheritable: [],
    ambient: [],
  });
  assert.deepEqual(capabilitySets(["CAP_KILL"], 1), {
    bounding: ["CAP_KILL"],
    effective: [],
    permitted: [],
    inheritable: [],
    ambient: [],
  });
});

test("normaliseCapability, capabilitiesOfMask: spellings and bits", () => {
  for (const text of ["net_admin", "NET_ADMIN", "cap_net_admin", "CAP_NET_ADMIN"])
    assert.equal(normaliseCapability(text), "CAP_NET_ADMIN");
  for (const text of ["", "CAP_", "NET", "constructor"])
    assert.throws(() => normaliseCapability(text), { code: "invalid" });
  assert.deepEqual(capabilitiesOfMask("0000000000000003"), ["CAP_CHOWN", "CAP_DAC_OVERRIDE"]);
  assert.equal(capabilitiesOfMask("000001fffeffffff").includes("CAP_SYS_RESOURCE"), false);
});
