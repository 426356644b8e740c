// Dockerfiles and contexts of strangers: what they hold must neither reach the host nor outlive the build.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";

import { isTeuError } from "@teu/base/errors";
import { enginePaths } from "@teu/engine/store/paths";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";
import { BuilderHost } from "./builder-harness.ts";
import { UNABLE } from "./engine-harness.ts";

let host: BuilderHost;
before(async () => {
  if (UNABLE === undefined) host = await BuilderHost.open();
});
after(async () => {
  if (UNABLE === undefined) await host[Symbol.asyncDispose]();
});

type Item = Parameters<typeof tarEntry>[0] & { readonly content?: string };

function tar(items: readonly Item[]): Buffer {
  const parts = items.flatMap(({ content = "", ...fields }) => {
    const size = Buffer.byteLength(content);
    return [encodeTarHeader(tarEntry({ mode: 0o755, ...fields, size })), Buffer.from(content), tarPadding(size)];
  });
  return Buffer.concat([...parts, TAR_END]);
}

const mark = new Map([["trusted.overlay.opaque", Buffer.from("y")]]);

test("build: ADD takes none of overlayfs' marks from an archive", { skip: UNABLE }, async () => {
  const files = {
    "opaque.tar": tar([
      { type: "directory", name: "etc", xattrs: mark },
      { type: "file", name: "etc/new", content: "n", xattrs: new Map([["trusted.overlay.metacopy", Buffer.of()]]) },
      { type: "directory", name: "d", xattrs: new Map([["trusted.overlay.redirect", Buffer.from("/root")]]) },
    ]),
  };
  const built = await host.build("FROM base\nADD opaque.tar /", files);
  assert.equal(built.read("etc/new"), "n");
  assert.match(built.read("etc/passwd") ?? "", /^root:/, "an opaque mark would hide it");
  const deleting = { "w.tar": tar([{ type: "character", name: "etc/passwd" }]) };
  await assert.rejects(host.build("FROM base\nADD w.tar /", deleting), (error) => /0:0/.test(String(error)));
});

test("build: ADD refuses whiteout names and keeps odd ones", { skip: UNABLE }, async () => {
  const hidden = { "a.tar": tar([{ type: "file", name: "etc/.wh.passwd", content: "" }]) };
  await assert.rejects(host.build("FROM base\nADD a.tar /", hidden), (error) => /\.wh\./.test(String(error)));
  const odd = tar([
    { type: "directory", name: "d\udcff" },
    { type: "file", name: "d\udcff/f", content: "1" },
    { type: "file", name: "d\udcff", content: "2" },
  ]);
  const built = await host.build("FROM base\nADD a.tar /x/", { "a.tar": odd });
  assert.equal(built.read("x/d\udcff"), "2");
});

test("build: a hard link of an archive names a file of the image only", { skip: UNABLE }, async () => {
  const files = { "a.tar": tar([{ type: "hardlink", name: "l", linkName: "../../../../../../etc/hostname-of-host" }]) };
  await assert.rejects(host.build("FROM base\nADD a.tar /x/", files), (error) => isTeuError(error, "invalid"));
});

test("build: COPY --parents through a symlink of the context stays in the context", { skip: UNABLE }, async () => {
  const files = { "etc/in/f": "context", link: { link: "/etc" }, up: { link: "../../../../../../etc" } };
  const built = await host.build("FROM base\nCOPY --parents link/./**/f up/./**/f /x/", files);
  assert.equal(built.read("x/in/f"), "context");
});

/** Makes `times` 2000 directories in each other. */
function nested(times: number): string {
  const long = "$(yes d | head -2000 | tr '\\n' /)";
  return `RUN mkdir /x && cd /x && for i in $(seq ${times}); do mkdir -p ${long} && cd -P ${long} || exit 1; done`;
}

test("build: directories as deep as a path can be go into a layer", { skip: UNABLE }, async () => {
  const built = await host.build(`FROM base\n${nested(1)}`);
  assert.equal(built.entry(`x${"/d".repeat(2000)}`)?.kind, "directory");
});

test("build: a directory deeper than any path fails, and leaves nothing behind", { skip: UNABLE }, async () => {
  await assert.rejects(
    host.build(`FROM base\n${nested(2)}`),
    (error) => isTeuError(error) && /longer than 4096 bytes/.test(error.message),
  );
  const { root, runroot } = host.host.engine.options;
  const paths = enginePaths(root, runroot);
  assert.deepEqual([...readdirSync(paths.workspaces), ...readdirSync(paths.scratch)], []);
});
