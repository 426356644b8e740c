// Configs, chain ids, and the way from a config to a process.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isTeuError, TeuError } from "@teu/base/errors";

import { chainIds } from "./chain-id.ts";
import { annotationsFromImage, DEFAULT_PATH, mergeEnv, processFromImage } from "./config-to-runtime.ts";
import { digestOf } from "./digest.ts";
import {
  checkHistory,
  emptyImageConfig,
  withContainerConfig,
  withCreated,
  withHistory,
  withLayer,
} from "./image-config.ts";
import { imageFileReader, resolveImageUser } from "./image-user.ts";

const AMD64 = { os: "linux", architecture: "amd64" };
const [A, B] = [digestOf("a"), digestOf("b")];

const FILES: Readonly<Record<string, string>> = {
  "/etc/passwd":
    "# comment\nroot:x:0:0:root:/root:/bin/sh\n\nuser:x:1000:100:User:/home/user:/bin/sh\nnohome:x:7:8:::\nbroken\nbad:x:no:no::/:\n 99:x:55:56::/odd:\n",
  "/etc/group": "root:x:0:\nstaff:x:50:user,other\nusers:x:100:user\naudio:x:29:user,\n",
};
const read = (path: string): Uint8Array | null => (FILES[path] === undefined ? null : Buffer.from(FILES[path]));

test("withLayer, withHistory: new values, history and layers in step", () => {
  const empty = emptyImageConfig(AMD64, "2024-01-01T00:00:00Z");
  const config = withHistory(withLayer(withLayer(empty, A, { created_by: "one" }), B), { created_by: "three" });
  assert.deepEqual(empty.rootfs.diff_ids, []);
  assert.deepEqual(config.rootfs.diff_ids, [A, B]);
  assert.deepEqual(config.history, [{ created_by: "one" }, {}, { created_by: "three", empty_layer: true }]);
  checkHistory(config);
  assert.throws(
    () => checkHistory({ ...config, history: [{}] }),
    (error) => isTeuError(error, "invalid"),
  );
});

test("withLayer: an image without history gets an entry for each layer it had", () => {
  const { history: _, ...bare } = emptyImageConfig(AMD64);
  const config = withLayer({ ...bare, rootfs: { type: "layers", diff_ids: [A] } }, B, { created_by: "x" });
  assert.deepEqual(config.history, [{}, { created_by: "x" }]);
});

test("withContainerConfig, withCreated: sets, removes, keeps the unknown", () => {
  const config = withContainerConfig(
    { ...emptyImageConfig(AMD64), config: { User: "a", Cmd: ["x"], Odd: 1 } as never },
    { User: undefined, Env: ["A=b"] },
  );
  assert.deepEqual(config.config, { Cmd: ["x"], Odd: 1, Env: ["A=b"] });
  assert.equal(withCreated(config, "2024-01-01T00:00:00Z").created, "2024-01-01T00:00:00Z");
});

test("chainIds: as image-spec computes them", () => {
  assert.deepEqual(chainIds([]), []);
  assert.deepEqual(chainIds([A, B]), [A, digestOf(`${A} ${B}`)]);
});

test("resolveImageUser: names, numbers, groups", () => {
  const cases: readonly [string, object][] = [
    ["", { uid: 0, gid: 0, additionalGids: [], home: "/root" }],
    ["root", { uid: 0, gid: 0, additionalGids: [], home: "/root" }],
    ["user", { uid: 1000, gid: 100, additionalGids: [50, 29], home: "/home/user" }],
    ["1000", { uid: 1000, gid: 100, additionalGids: [], home: "/home/user" }],
    ["user:staff", { uid: 1000, gid: 50, additionalGids: [], home: "/home/user" }],
    ["user:77", { uid: 1000, gid: 77, additionalGids: [], home: "/home/user" }],
    ["4000", { uid: 4000, gid: 0, additionalGids: [] }],
    ["4000:4001", { uid: 4000, gid: 4001, additionalGids: [] }],
    ["nohome", { uid: 7, gid: 8, additionalGids: [], home: "/" }],
    ["4294967294", { uid: 4294967294, gid: 0, additionalGids: [] }],
  ];
  for (const [text, want] of cases) assert.deepEqual(resolveImageUser(text, read), want, text);
});

test("resolveImageUser: not-found for unknown names, invalid for ids out of range", () => {
  for (const text of ["nobody", "user:nogroup", "bad", "broken"]) {
    assert.throws(
      () => resolveImageUser(text, read),
      (error) => isTeuError(error, "not-found"),
      text,
    );
  }
  for (const text of ["4294967295", "-1", "0:99999999999"]) {
    assert.throws(
      () => resolveImageUser(text, read),
      (error) => isTeuError(error, "invalid"),
      text,
    );
  }
  assert.deepEqual(
    resolveImageUser("0", () => null),
    { uid: 0, gid: 0, additionalGids: [] },
  );
  assert.throws(
    () => resolveImageUser("root", () => null),
    (error) => isTeuError(error, "not-found"),
  );
});

test("imageFileReader: absent files are null, other errors are not hidden", () => {
  const fail = (code: "not-found" | "exhausted") =>
    imageFileReader({
      readFile: () => {
        throw new TeuError({ code, op: "x", message: "y" });
      },
    });
  assert.equal(fail("not-found")("/etc/passwd"), null);
  assert.throws(
    () => fail("exhausted")("/etc/passwd"),
    (error) => isTeuError(error, "exhausted"),
  );
});

test("processFromImage: the image's settings, and the user's on top", () => {
  const config = {
    Entrypoint: ["/init"],
    Cmd: ["serve"],
    Env: ["PATH=/bin", "A=1", "B=2"],
    WorkingDir: "/srv",
    User: "user",
  };
  assert.deepEqual(processFromImage(config, {}, read), {
    args: ["/init", "serve"],
    env: ["PATH=/bin", "A=1", "B=2", "HOME=/home/user"],
    cwd: "/srv",
    terminal: false,
    user: { uid: 1000, gid: 100, additionalGids: [50, 29] },
  });
  const other = processFromImage(
    config,
    { command: ["sh"], env: ["A=9", "B", "HOME=/x"], user: "0:5", workingDir: "/", terminal: true },
    read,
  );
  assert.deepEqual(other, {
    args: ["/init", "sh"],
    env: ["PATH=/bin", "TERM=xterm", "A=9", "HOME=/x"],
    cwd: "/",
    terminal: true,
    user: { uid: 0, gid: 5 },
  });
  assert.deepEqual(
    processFromImage(config, { entrypoint: ["/bin/sh"] }, read).args,
    ["/bin/sh"],
    "an entrypoint drops the image's command",
  );
  assert.deepEqual(processFromImage({ Cmd: ["x"] }, {}, read).env, [`PATH=${DEFAULT_PATH}`, "HOME=/root"]);
  assert.equal(processFromImage({ Cmd: ["x"] }, {}, read).cwd, "/");
});

test("processFromImage: invalid without a command or with a relative directory", () => {
  for (const [config, overrides] of [
    [{}, {}],
    [undefined, {}],
    [{ Cmd: ["x"] }, { entrypoint: [] }],
    [{ Cmd: [""] }, {}],
    [{ Cmd: ["x"] }, { workingDir: "rel" }],
    [{ Cmd: ["x"], WorkingDir: "rel" }, {}],
  ] as const) {
    assert.throws(
      () => processFromImage(config, overrides, read),
      (error) => isTeuError(error, "invalid"),
      JSON.stringify([config, overrides]),
    );
  }
});

test("mergeEnv: later wins in its place, a bare key removes", () => {
  assert.deepEqual(mergeEnv(["A=1", "B=2", "A=3"], ["B", "C=", "A=4=5"]), ["A=4=5", "C="]);
});

test("annotationsFromImage: implied ones, labels on top", () => {
  const image = withCreated(
    withContainerConfig(emptyImageConfig({ ...AMD64, variant: "v2" }), {
      StopSignal: "SIGINT",
      ExposedPorts: { "80/tcp": {}, "53/udp": {} },
      Labels: { "org.opencontainers.image.os": "mine", other: "x" },
    }),
    "2024-01-01T00:00:00Z",
  );
  assert.deepEqual(annotationsFromImage(image), {
    "org.opencontainers.image.os": "mine",
    "org.opencontainers.image.architecture": "amd64",
    "org.opencontainers.image.variant": "v2",
    "org.opencontainers.image.created": "2024-01-01T00:00:00Z",
    "org.opencontainers.image.stopSignal": "SIGINT",
    "org.opencontainers.image.exposedPorts": "80/tcp,53/udp",
    other: "x",
  });
});
