import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mount, Spec } from "@teu/specs/runtime";
import { planIdmap } from "./idmap-plan.ts";
import { parseMountOptions } from "./mount-options.ts";

const own = [{ containerID: 0, hostID: 1000, size: 10 }];
const container = [
  { containerID: 0, hostID: 0, size: 1 },
  { containerID: 1, hostID: 2, size: 1000 },
];
const withUser = (path?: string): Spec["linux"] => ({
  namespaces: [{ type: "user", ...(path === undefined ? {} : { path }) }],
  uidMappings: container,
  gidMappings: container,
});

function plan(options: readonly string[], mount: Partial<Mount> = {}, linux: Spec["linux"] = {}) {
  const spec = { ociVersion: "1.3.0", linux } satisfies Spec;
  return planIdmap(spec, { destination: "/a", ...mount }, parseMountOptions(options), "mounts[0]");
}

const CASES: readonly (readonly [string, ReturnType<typeof plan>, ReturnType<typeof plan>])[] = [
  ["none when nothing asks for it", plan(["bind"], {}, withUser()), null],
  [
    "the mount's own maps, with the option or without",
    plan(["bind"], { uidMappings: own, gidMappings: own }),
    { recursive: false, maps: { uidMappings: own, gidMappings: own } },
  ],
  [
    "recursive for ridmap",
    plan(["rbind", "ridmap"], { uidMappings: own, gidMappings: own }),
    { recursive: true, maps: { uidMappings: own, gidMappings: own } },
  ],
  [
    "the container's maps when the mount has none",
    plan(["bind", "idmap"], {}, withUser()),
    { recursive: false, maps: { uidMappings: container, gidMappings: container } },
  ],
  [
    "the container's user namespace itself when that is joined",
    plan(["bind", "idmap"], {}, withUser("/run/userns")),
    { recursive: false, maps: "/run/userns" },
  ],
  [
    "crun's ranges",
    plan(["bind", "idmap=uids=0-1-10#10-11-20;gids=0-100-10"]),
    {
      recursive: false,
      maps: {
        uidMappings: [
          { containerID: 0, hostID: 1, size: 10 },
          { containerID: 10, hostID: 11, size: 20 },
        ],
        gidMappings: [{ containerID: 0, hostID: 100, size: 10 }],
      },
    },
  ],
  [
    "crun's relative ranges, through the container's maps",
    plan(["bind", "ridmap=uids=@1-3-10;gids=@1-0-1"], {}, withUser()),
    {
      recursive: true,
      maps: {
        uidMappings: [{ containerID: 1, hostID: 4, size: 10 }],
        gidMappings: [{ containerID: 1, hostID: 0, size: 1 }],
      },
    },
  ],
];
for (const [name, have, want] of CASES) test(`planIdmap: ${name}`, () => assert.deepEqual(have, want));

const REFUSED: readonly (readonly [string, () => unknown])[] = [
  ["no maps and no user namespace", () => plan(["bind", "idmap"])],
  ["uidMappings alone", () => plan(["bind", "idmap"], { uidMappings: own })],
  ["gidMappings alone", () => plan(["bind"], { gidMappings: own })],
  ["both kinds of maps", () => plan(["idmap=uids=0-1-1;gids=0-1-1"], { uidMappings: own, gidMappings: own })],
  ["gids missing in the text", () => plan(["idmap=uids=0-1-1"])],
  ["uids given twice", () => plan(["idmap=uids=0-1-1;uids=0-1-1"])],
  ["an unknown word", () => plan(["idmap=uids=0-1-1;sids=0-1-1"])],
  ["a range of two numbers", () => plan(["idmap=uids=0-1;gids=0-1-1"])],
  ["a range of nothing", () => plan(["idmap=uids=0-1-0;gids=0-1-1"])],
  ["a range beyond the last id", () => plan(["idmap=uids=0-4294967295-1;gids=0-1-1"])],
  ["a relative range outside of the container's", () => plan(["idmap=uids=@0-0-2;gids=0-0-1"], {}, withUser())],
];
for (const [name, make] of REFUSED)
  test(`planIdmap: invalid for ${name}`, () => assert.throws(make, { code: "invalid" }));
