// Property tests: whatever a document or flag says, the answer is a TeuError or success, soon, and a failure leaves nothing behind.
// Bounded runs; fast-check prints the seed of a failure.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTeuError } from "@teu/base/errors";
import { defaultSpec } from "@teu/specs/runtime-default";
import { parseProcess, parseResources, parseSpec } from "@teu/specs/runtime-parse";
import type { Spec } from "@teu/specs/runtime";
import { parseUser } from "./commands/user-flag.ts";
import { checkId } from "./container/record.ts";
import { parseCgroupMounts, parseOwnCgroups } from "./linux/cgroup/layout.ts";
import { planLegacyResources } from "./linux/cgroup/resources-legacy.ts";
import { planUnifiedResources } from "./linux/cgroup/resources-unified.ts";
import { parseMountOptions } from "./linux/mount-options.ts";
import { planProcess } from "./linux/process-plan.ts";
import { cleanPath } from "./linux/rootfs-path.ts";
import { planStart } from "./linux/start-plan.ts";
import { fakeHost } from "./testing/fake-host.ts";
import { type Change, HOSTILE_TEXTS, HOSTILE_VALUES, applyChange } from "./testing/hostile.ts";

/** Something of everything, so that every reader is reached. */
const RICH: Spec = {
  ...defaultSpec(),
  annotations: { "org.example": "1" },
  domainname: "example",
  mounts: [
    ...(defaultSpec().mounts ?? []),
    { destination: "/data", type: "bind", source: "/srv/data", options: ["rbind", "ro", "rprivate", "nosuid"] },
    { destination: "/run", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "size=64k", "rro"] },
  ],
  hooks: { createRuntime: [{ path: "/usr/bin/hook", args: ["hook"], env: ["A=b"], timeout: 3 }] },
  process: {
    ...defaultSpec().process,
    cwd: "/",
    terminal: false,
    args: ["/bin/daemon"],
    user: { uid: 1000, gid: 1000, umask: 18, additionalGids: [5] },
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 1024 }],
    oomScoreAdj: 100,
    scheduler: { policy: "SCHED_BATCH", nice: 5 },
    ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 },
  },
  linux: {
    ...defaultSpec().linux,
    cgroupsPath: "/box",
    rootfsPropagation: "rslave",
    sysctl: { "net.ipv4.ip_forward": "1" },
    devices: [{ path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 }],
    personality: { domain: "LINUX" },
    seccomp: {
      defaultAction: "SCMP_ACT_ALLOW",
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      syscalls: [{ names: ["swapon"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
    },
    resources: {
      devices: [{ allow: false, access: "rwm" }],
      memory: { limit: 67_108_864, swap: 134_217_728 },
      cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0" },
      pids: { limit: 20 },
      blockIO: { weight: 100 },
    },
  },
};

const LAYOUT = {
  cgroups: {
    kind: "legacy",
    hierarchies: ["memory", "cpu", "cpuset", "pids", "blkio", "devices"].map((name) => ({
      controllers: name,
      mount: `/sys/fs/cgroup/${name}`,
      own: "/",
    })),
  },
} as const;

/** Returns what `act` returns; a TeuError is an answer too, anything else is a defect. */
function answers<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (isTeuError(error)) return undefined;
    throw error;
  }
}

/** Copies of a document with one to three hostile changes. */
function nearly(document: unknown): fc.Arbitrary<unknown> {
  const value = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...HOSTILE_TEXTS) },
    { weight: 3, arbitrary: fc.constantFrom(...HOSTILE_VALUES) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
    { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  );
  const how = fc.constantFrom<Change["how"]>("replace", "replace", "replace", "replace", "remove", "double", "rename");
  const change = fc.record({ place: fc.nat(), how, value });
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce<unknown>(applyChange, document));
}

const text = fc.oneof(fc.constantFrom(...HOSTILE_TEXTS), fc.string({ unit: "binary" }));

test("hostile documents: the rich one is valid", () => {
  planStart(parseSpec(JSON.stringify(RICH)), "box", "/bundle", LAYOUT);
});

test("planStart: a plan or a TeuError for whatever config.json says", () => {
  fc.assert(
    fc.property(nearly(RICH), (document) => {
      answers(() => planStart(parseSpec(JSON.stringify(document)), "box", "/bundle", LAYOUT));
    }),
    { numRuns: 3000 },
  );
});

test("planProcess: a plan or a TeuError for whatever process.json says", () => {
  fc.assert(
    fc.property(nearly(RICH.process), (document) => {
      answers(() => planProcess(parseProcess(JSON.stringify(document)), {}, "process"));
    }),
    { numRuns: 1000 },
  );
});

test("update --resources: writes or a TeuError, and no value that ends a line or a string", () => {
  fc.assert(
    fc.property(nearly(RICH.linux?.resources), (document) => {
      const resources = answers(() => parseResources(JSON.stringify(document)));
      if (resources === undefined) return;
      for (const plan of [planLegacyResources, planUnifiedResources])
        for (const { file } of answers(() => plan(resources)) ?? []) assert.match(file, /^[^/\0]+$/);
    }),
    { numRuns: 1000 },
  );
});

test("parse functions: any text is answered, by a value or a TeuError", () => {
  fc.assert(
    fc.property(text, (one) => {
      for (const parse of [parseSpec, parseProcess, parseResources, parseOwnCgroups, parseCgroupMounts])
        answers(() => parse(one));
    }),
    { numRuns: 1000 },
  );
});

test("parseMountOptions: any list of words", () => {
  fc.assert(
    fc.property(fc.array(text, { maxLength: 6 }), (words) => {
      const { attributes, recursiveAttributes, data } = parseMountOptions(words);
      for (const { set, clear } of [attributes, recursiveAttributes]) assert.ok(set >= 0 && clear >= 0);
      // What is not understood must not vanish.
      for (const word of data) assert.ok(words.some((one) => one.split(",").includes(word)));
    }),
    { numRuns: 2000 },
  );
});

test("parseUser: nothing but one or two decimal numbers below 2^32-1", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        fc.stringMatching(/^[0-9x:+ -]{0,12}$/),
        fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `${a}:${b}`),
      ),
      (one) => {
        const user = answers(() => parseUser(one));
        if (user === undefined || one === "") return;
        const want = user.gid === undefined ? `${user.uid}` : `${user.uid}:${user.gid}`;
        assert.equal(one.replace(/(^|:)0+(?=\d)/g, "$1"), want);
        assert.ok((user.uid ?? 0) < 4_294_967_295 && (user.gid ?? 0) < 4_294_967_295);
      },
    ),
    { numRuns: 2000 },
  );
});

test("checkId: an id is one name of one directory", () => {
  fc.assert(
    fc.property(fc.oneof(text, fc.stringMatching(/^[\w+.\-/ ]{0,8}$/)), (one) => {
      const id = answers(() => checkId(one));
      if (id === undefined) return;
      assert.equal(id, one);
      assert.match(id, /^[\w+.-]+$/);
      assert.ok(id !== "." && id !== "..");
    }),
    { numRuns: 2000 },
  );
});

test("cleanPath: never above the root, and clean stays clean", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("..", ".", "", "a", "b c", "\n"), { maxLength: 8 }), (parts) => {
      const clean = cleanPath(parts.join("/"));
      assert.ok(clean.startsWith("/") && !clean.split("/").includes(".."));
      assert.equal(cleanPath(clean), clean);
    }),
  );
});

test("parseCgroupMounts: reads mountinfo, whatever stands between its blanks", () => {
  const line = fc.array(fc.oneof(text, fc.constantFrom("-", "cgroup", "cgroup2", "\\040", "/")), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
      for (const { version, options } of parseCgroupMounts(lines.map((one) => one.join(" ")).join("\n"))) {
        assert.ok(version === 1 || version === 2);
        assert.ok(Array.isArray(options));
      }
    }),
    { numRuns: 1000 },
  );
});

test("create: success or one error text, and after a failure nothing is left", () => {
  fc.assert(
    fc.property(nearly(RICH), (document) => {
      const host = fakeHost();
      host.makeDirectory("/srv/data");
      host.writeFile("/bundle/config.json", JSON.stringify(document));
      const { code, err } = host.run(["create", "--bundle", "/bundle", "box"]);
      if (code === 0) return;
      assert.doesNotMatch(err, /is not a function|undefined|not iterable|Cannot read|stack/);
      // Directories above a deeper path stay, as everybody leaves them: others may have come to use them.
      const { cgroups } = host.leaks();
      assert.deepEqual(
        cgroups.filter((path) => path.endsWith(":box")),
        [],
      );
      assert.equal(host.exists("/run/teu/box"), false);
    }),
    { numRuns: 150 },
  );
});
