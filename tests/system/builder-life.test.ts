// What a build keeps, repeats, refuses and leaves behind: cache, parallel stages, failures, cancellation.

import assert from "node:assert/strict";
import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { buildImage } from "@teu/builder/build";
import type { BuildEvent } from "@teu/builder/progress/build-event";
import { BuilderHost } from "./builder-harness.ts";
import { UNABLE } from "./engine-harness.ts";

const skip = UNABLE;
let host: BuilderHost;
before(async () => {
  if (skip === undefined) host = await BuilderHost.open();
});
after(async () => {
  if (skip === undefined) await host[Symbol.asyncDispose]();
});

/** Whatever a build may leave behind: containers, workspaces, temporary files, mounts. */
async function leftovers(): Promise<string[]> {
  const { scope, engine, options } = host.host;
  const containers = (await engine.containers.list(scope, { all: true })).map(({ name }) => `container ${name}`);
  const workspaces = join(options.root, "snapshots", "workspaces");
  const files = existsSync(workspaces) ? readdirSync(workspaces).map((name) => `workspace ${name}`) : [];
  const temporary = readdirSync(tmpdir()).filter((name) => name.startsWith("teu-build-"));
  return [...containers, ...files, ...temporary];
}

async function failure(
  dockerfile: string,
  files: Parameters<BuilderHost["build"]>[1] = {},
  options: Parameters<BuilderHost["build"]>[2] = {},
): Promise<{ text: string; hint: string | undefined; code: string; detail: Readonly<Record<string, unknown>> }> {
  try {
    await host.build(dockerfile, files, options);
  } catch (error) {
    assert.ok(isTeuError(error), String(error));
    return { text: error.message, hint: error.hint, code: error.code, detail: error.detail };
  }
  assert.fail("it was built");
}

test("cache: everything again gives the same image, all from the cache", { skip }, async () => {
  const text = "FROM base\nARG V=1\nWORKDIR /w\nCOPY f .\nRUN date > /when\nLABEL a=1";
  const context = host.context({ f: "1" });
  const first = await host.build(text, {}, { context });
  assert.equal(first.cached, 0);
  utimesSync(join(context, "f"), 1, 1);
  const second = await host.build(text, {}, { context });
  assert.equal(second.cached, 3);
  assert.equal(second.result.imageId, first.result.imageId);
});

test("cache: changed content, mode or argument misses from there on", { skip }, async () => {
  const text = "FROM base\nRUN echo cache-a\nCOPY f /f\nRUN echo b\nARG X\nRUN echo c";
  const context = host.context({ f: "1" });
  await host.build(text, {}, { context });
  writeFileSync(join(context, "f"), "2");
  assert.equal((await host.build(text, {}, { context })).cached, 1);
  assert.equal((await host.build(text, {}, { context, buildArgs: { X: "1" } })).cached, 3);
  assert.equal((await host.build(text.replace("COPY f", "COPY --chmod=600 f"), {}, { context })).cached, 1);
  assert.equal((await host.build(text, {}, { context, noCache: true })).cached, 0);
});

test("cache: proxy arguments reach the command and are no part of the key", { skip }, async () => {
  const text = "FROM base\nRUN echo ${HTTP_PROXY:-none} > /proxy";
  const first = await host.build(text, {}, { buildArgs: { HTTP_PROXY: "http://p:1" } });
  assert.equal(first.read("proxy"), "http://p:1\n");
  assert.equal((await host.build(text, {}, { buildArgs: { HTTP_PROXY: "http://q:1" } })).cached, 1);
  assert.ok(!JSON.stringify(first.result.config).includes("http://p:1"));
});

test("cache: the same content from a stage and from the context is the same step", { skip }, async () => {
  const context = host.context({ f: { content: "same", mode: 0o644 } });
  await host.build("FROM base\nCOPY f /x", {}, { context });
  const built = await host.build("FROM base AS s\nCOPY f /f\nFROM base\nCOPY --from=s /f /x", {}, { context });
  assert.ok(built.cached >= 1);
});

test("stages: independent ones run at the same time", { skip }, async () => {
  const start = performance.now();
  const built = await host.build(
    "FROM base AS a\nRUN sleep 1.2; echo a > /a\nFROM base AS b\nRUN sleep 1.2; echo b > /b\nFROM base\nCOPY --from=a /a /\nCOPY --from=b /b /",
    {},
    { jobs: 2 },
  );
  const seconds = (performance.now() - start) / 1000;
  assert.equal(`${built.read("a") ?? ""}${built.read("b") ?? ""}`, "a\nb\n");
  assert.ok(seconds < 2.3, `${seconds} s`);
});

test("stages: one slot is enough for stages that wait for each other", { skip }, async () => {
  const built = await host.build(
    "FROM base AS a\nRUN echo a > /a\nFROM base AS b\nCOPY --from=a /a /b\nFROM base\nCOPY --from=b /b /c\nRUN --mount=from=a,target=/m cat /m/a >> /c",
    {},
    { jobs: 1 },
  );
  assert.equal(built.read("c"), "a\na\n");
});

test("RUN: a failing command says what, where, and its last lines; nothing is left", { skip }, async () => {
  const error = await failure("FROM base\nRUN echo before\nRUN echo out; echo err >&2; exit 3");
  assert.equal(error.text, 'cannot build "Dockerfile:3": RUN /bin/sh -c echo out; echo err >&2; exit 3: exit code 3');
  assert.deepEqual([error.detail["exitCode"], [...(error.detail["tail"] as string[])].sort()], [3, ["err", "out"]]);
  assert.deepEqual(await leftovers(), []);
});

const REFUSALS: readonly {
  name: string;
  dockerfile: string;
  files?: Parameters<BuilderHost["build"]>[1];
  options?: Parameters<BuilderHost["build"]>[2];
  text: RegExp;
  hint?: RegExp;
  code: string;
}[] = [
  {
    name: "missing source",
    dockerfile: "FROM base\nCOPY nope /x",
    text: /^cannot build "Dockerfile:2": COPY failed: cannot copy "nope": no such file or directory$/,
    code: "not-found",
  },
  {
    name: "source left out by the ignore file",
    dockerfile: "FROM base\nCOPY x /x",
    files: { x: "1", ".dockerignore": "x" },
    text: /it is left out by .dockerignore/,
    code: "not-found",
  },
  {
    name: "several files onto one",
    dockerfile: "FROM base\nCOPY a b /etc/passwd",
    files: { a: "", b: "" },
    text: /several sources need a directory/,
    hint: /end it with a slash/,
    code: "invalid",
  },
  {
    name: "file onto a directory",
    dockerfile: "FROM base\nCOPY d /x/\nCOPY e /x/",
    files: { "d/s/f": "", "e/s": "" },
    text: /"\/x\/s": is a directory/,
    code: "conflict",
  },
  {
    name: "directory onto a file",
    dockerfile: "FROM base\nCOPY d /etc/passwd/",
    files: { "d/f": "" },
    text: /"\/etc\/passwd": is not a directory/,
    code: "conflict",
  },
  {
    name: "unknown target",
    dockerfile: "FROM base AS one",
    options: { target: "on" },
    text: /^cannot build target "on"/,
    hint: /did you mean one/,
    code: "not-found",
  },
  {
    name: "a stage that comes later",
    dockerfile: "FROM base\nCOPY --from=later /x /y\nFROM base AS later",
    options: { target: "0" },
    text: /^cannot parse "Dockerfile:2": stage "later" comes later$/,
    code: "invalid",
  },
  {
    name: "empty image name",
    dockerfile: "ARG X\nFROM $X",
    text: /is empty once its variables are replaced/,
    code: "invalid",
  },
  {
    name: "a secret mount",
    dockerfile: "FROM base\nRUN --mount=type=secret,id=x true",
    text: /type=secret is not supported/,
    code: "unsupported",
  },
  {
    name: "the host's network without leave",
    dockerfile: "FROM base\nRUN --network=host true",
    text: /is not allowed in this build/,
    hint: /--network=host/,
    code: "denied",
  },
  {
    name: "an unknown user",
    dockerfile: "FROM base\nCOPY --chown=nobody-here f /f",
    files: { f: "" },
    text: /no such user/,
    code: "not-found",
  },
  {
    name: "${x:?}",
    dockerfile: 'FROM base\nENV y="${x:?need x}"',
    text: /^cannot parse "Dockerfile:2": .*x: need x$/,
    code: "invalid",
  },
  {
    name: "a base image that is nowhere",
    dockerfile: "FROM 127.0.0.1:1/nope",
    text: /^cannot build "Dockerfile:1": the image "127.0.0.1:1\/nope" is not here and cannot be pulled/,
    code: "unavailable",
  },
  {
    name: "a tag that cannot be one",
    dockerfile: "FROM base",
    options: { tags: ["UPPER"] },
    text: /must be lower case/,
    code: "invalid",
  },
];

for (const { name, dockerfile, files, options, text, hint, code } of REFUSALS) {
  test(`build: refuses ${name}`, { skip }, async () => {
    const error = await failure(dockerfile, files, options);
    assert.match(error.text, text);
    if (hint !== undefined) assert.match(error.hint ?? "", hint);
    assert.equal(error.code, code);
    assert.deepEqual(await leftovers(), []);
  });
}

test("build: a damaged archive is an error that leaves nothing", { skip }, async () => {
  const header = Buffer.alloc(512);
  header.write("x", 0);
  header.write("00000100000", 124);
  const sum = [...header].reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
  header.write(sum.toString(8).padStart(6, "0"), 148);
  const error = await failure("FROM base\nADD broken.tar /x/", { "broken.tar": header });
  assert.match(error.text, /cannot unpack "broken.tar"/);
  assert.deepEqual(await leftovers(), []);
});

test("build: unused arguments are named", { skip }, async () => {
  const built = await host.build("FROM base\nARG VERSION\nRUN true", {}, { buildArgs: { VERSOIN: "1" } });
  assert.deepEqual(built.result.warnings, ["the build argument VERSOIN is not used: did you mean VERSION?"]);
});

for (const [name, when] of [
  ["in a RUN step", "RUN sleep"],
  ["before anything", ""],
] as const) {
  test(`build: cancelled ${name} leaves nothing`, { skip }, async () => {
    const controller = new AbortController();
    const context = host.context({ f: "1" });
    const { engine } = host.host;
    if (when === "") controller.abort();
    const start = performance.now();
    const building = buildImage(createScope({ signal: controller.signal }), engine, {
      context,
      network: "none",
      dockerfile: { name: "Dockerfile", text: "FROM base\nCOPY f /f\nRUN sleep 30" },
      progress: (event: BuildEvent) => {
        if (event.kind === "started" && when !== "" && event.name.includes(when))
          setTimeout(() => controller.abort(), 150);
      },
    });
    await assert.rejects(building, (error) => isTeuError(error, "cancelled"));
    assert.ok(performance.now() - start < 10_000);
    assert.deepEqual(await leftovers(), []);
  });
}

test("build: a failing stage ends the others", { skip }, async () => {
  const start = performance.now();
  const error = await failure(
    "FROM base AS slow\nRUN sleep 20\nFROM base\nRUN sleep 0.2; false\nCOPY --from=slow /etc /x/",
    {},
    { jobs: 2 },
  );
  assert.match(error.text, /exit code 1/);
  assert.ok(performance.now() - start < 8_000);
  assert.deepEqual(await leftovers(), []);
});
