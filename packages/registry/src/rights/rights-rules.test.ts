import assert from "node:assert/strict";
import { test } from "node:test";

import { parseGlob } from "./glob.ts";
import { RightsRules } from "./rights-rules.ts";

test("parseGlob: * stays within a part of the name, ** does not, and nothing else is special", () => {
  const cases: readonly (readonly [glob: string, name: string, matches: boolean])[] = [
    ["team/*", "team/app", true],
    ["team/*", "team/app/x", false],
    ["team/**", "team/app/x", true],
    ["team/**", "team", false],
    ["**", "a/b/c", true],
    ["*", "a/b", false],
    ["v?.*", "v1.2", true],
    ["v?.*", "v10.2", false],
    ["v1.0", "v1x0", false],
    ["a", "ab", false],
    ["**a**a**a**a**a**a**", `${"a/".repeat(120)}b`, true],
    ["a+b", "aab", false],
  ];
  for (const [glob, name, matches] of cases) assert.equal(parseGlob(glob).matches(name), matches, `${glob} ${name}`);
});

test("RightsRules: the longest pattern counts, alone; inside it users, groups and everybody add up", () => {
  const rules = new RightsRules({
    groups: { devs: ["ann", "bob"] },
    rules: [
      { repositories: ["**"], anonymous: ["read"], authenticated: ["read", "catalog"] },
      { repositories: ["team/**"], groups: { devs: ["read", "create"] }, users: { ann: ["delete"] } },
      { repositories: ["team/secret"], users: { bob: ["all"] } },
    ],
  });
  const of = (name: string | null, repository: string, groups?: string[]): string =>
    [...rules.rightsOf({ name, ...(groups === undefined ? {} : { groups }) }, repository)].sort().join(" ");
  assert.equal(of(null, "x"), "read");
  assert.equal(of("eve", "x"), "catalog read");
  assert.equal(of("ann", "team/a"), "create delete read");
  assert.equal(of("bob", "team/a"), "create read");
  assert.equal(of(null, "team/a"), "");
  assert.equal(of("eve", "team/a"), "");
  assert.equal(of("eve", "team/a", ["devs"]), "create read");
  assert.equal(of("ann", "team/secret"), "");
  assert.equal(of("bob", "team/secret"), "catalog create delete read update");
  assert.equal(new RightsRules({ rules: [] }).rightsOf({ name: "ann" }, "x").size, 0);
});

test("RightsRules.immutableTags: every rule that matches adds its tags", () => {
  const rules = new RightsRules({
    rules: [],
    immutable: [
      { repositories: ["**"], tags: ["v*"] },
      { repositories: ["team/*"], tags: ["release-*"] },
    ],
  });
  const fixed = rules.immutableTags("team/app");
  assert.deepEqual(
    ["v1", "release-2", "latest"].map((tag) => fixed?.(tag)),
    [true, true, false],
  );
  assert.equal(new RightsRules({ rules: [] }).immutableTags("a"), undefined);
});
