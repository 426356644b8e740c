// Tiny Dockerfiles, each with assertions in the build (RUN test ...) or on the tree and config that come out.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import type { BuildOptions } from "@teu/builder/build-options";
import type { ContainerConfig } from "@teu/specs/image";
import { BuilderHost, type Built, type ContextFile } from "./builder-harness.ts";
import { layerTar, UNABLE } from "./engine-harness.ts";

let host: BuilderHost;
before(async () => {
  if (UNABLE === undefined) host = await BuilderHost.open();
});
after(async () => {
  if (UNABLE === undefined) await host[Symbol.asyncDispose]();
});

interface Probe {
  readonly name: string;
  readonly files?: Readonly<Record<string, ContextFile>>;
  readonly dockerfile: string;
  readonly options?: Partial<BuildOptions>;
  /** Texts by path; null: not there. */
  readonly texts?: Readonly<Record<string, string | null>>;
  /** Octal mode and owner by path: "755 0:0". */
  readonly modes?: Readonly<Record<string, string>>;
  readonly config?: Partial<ContainerConfig>;
  readonly more?: (built: Built) => void;
}

const tree = { "a.txt": "A", "b.txt": "B", "d/one": "1", "d/sub/two": "2", "d/.hidden": "h" };
const archive = layerTar([
  { name: "x", mode: 0o750 },
  { name: "x/f", content: "F", uid: 7, mode: 0o640 },
  { name: "x/l", linkName: "f" },
  { name: "../out", content: "o" },
]);

const PROBES: readonly Probe[] = [
  // COPY
  {
    name: "COPY: a file to a new name, owned by root",
    files: { f: { content: "x", mode: 0o640 } },
    dockerfile: "FROM base\nCOPY f /new/dir/g",
    texts: { "new/dir/g": "x" },
    modes: { "new/dir/g": "640 0:0", new: "755 0:0" },
  },
  {
    name: "COPY: a file into an existing directory",
    files: tree,
    dockerfile: "FROM base\nCOPY a.txt /tmp",
    texts: { "tmp/a.txt": "A" },
    modes: { tmp: "1777 0:0" },
  },
  {
    name: "COPY: contents of a directory",
    files: tree,
    dockerfile: "FROM base\nCOPY d /x",
    texts: { "x/one": "1", "x/sub/two": "2", "x/.hidden": "h", "x/d": null },
  },
  {
    name: "COPY: the whole context",
    files: tree,
    dockerfile: "FROM base\nCOPY . /x/",
    texts: { "x/a.txt": "A", "x/d/sub/two": "2" },
  },
  {
    name: "COPY: several sources into a directory",
    files: tree,
    dockerfile: "FROM base\nCOPY a.txt b.txt /x/",
    texts: { "x/a.txt": "A", "x/b.txt": "B" },
  },
  {
    name: "COPY: patterns",
    files: tree,
    dockerfile: "FROM base\nCOPY ?.txt d/s* /x/",
    texts: { "x/a.txt": "A", "x/b.txt": "B", "x/two": "2" },
  },
  {
    name: "COPY: a pattern that matches nothing",
    files: tree,
    dockerfile: "FROM base\nCOPY *.none a.txt /x/",
    texts: { "x/a.txt": "A" },
  },
  {
    name: "COPY: escaped pattern characters",
    files: { "arr[0].txt": "z", "arr0.txt": "n" },
    dockerfile: "FROM base\nCOPY arr[[]0].txt /x/",
    texts: { "x/arr[0].txt": "z", "x/arr0.txt": null },
  },
  {
    name: "COPY: relative to WORKDIR, JSON form with blanks",
    files: { "a b": "x" },
    dockerfile: 'FROM base\nWORKDIR /w\nCOPY ["a b", "c d"]',
    texts: { "w/c d": "x" },
  },
  {
    name: "COPY: dot as destination",
    files: tree,
    dockerfile: "FROM base\nWORKDIR /w\nCOPY a.txt .",
    texts: { "w/a.txt": "A" },
  },
  {
    name: "COPY: --chown by name and by number",
    files: tree,
    dockerfile: "FROM base\nCOPY --chown=app:extra a.txt /1\nCOPY --chown=5 a.txt /2\nCOPY --chown=app d /3/",
    modes: { 1: "644 1000:2000", 2: "644 5:5", 3: "755 1000:1000", "3/sub": "755 1000:1000" },
  },
  {
    name: "COPY: --chmod octal, symbolic and by variable",
    files: { f: { content: "", mode: 0o644 } },
    dockerfile: "FROM base\nARG M=1750\nCOPY --chmod=$M f /1\nCOPY --chmod=u+x,go= f /2",
    modes: { 1: "1750 0:0", 2: "700 0:0" },
  },
  {
    name: "COPY: sources above the context are cut to it",
    files: tree,
    dockerfile: "FROM base\nCOPY ../../a.txt /x",
    texts: { x: "A" },
  },
  {
    name: "COPY: symlinks as sources are followed inside the context",
    files: { ...tree, l: { link: "d/one" }, abs: { link: "/a.txt" }, ld: { link: "d" } },
    dockerfile: "FROM base\nCOPY l abs ld /x/",
    texts: { "x/l": "1", "x/abs": "A", "x/sub/two": "2" },
  },
  {
    name: "COPY: symlinks inside directories are kept",
    files: { "d/l": { link: "../../../etc/passwd" } },
    dockerfile: "FROM base\nCOPY d /x/",
    more: (built) => assert.equal(built.readLink("x/l"), "../../../etc/passwd"),
  },
  {
    name: "COPY: the destination's symlinks are followed inside the root file system",
    files: tree,
    dockerfile:
      "FROM base\nRUN mkdir -p /real && ln -s /real /abs && ln -s ../../../../real /rel\nCOPY a.txt /abs/\nCOPY b.txt /rel/b",
    texts: { "real/a.txt": "A", "real/b": "B" },
    more: (built) => assert.equal(built.entry("abs")?.kind, "symlink"),
  },
  {
    name: "COPY: a file replaces a symlink below the destination",
    files: { "d/f": "new" },
    dockerfile: "FROM base\nRUN mkdir /t && ln -s /etc/passwd /t/f\nCOPY d /t/",
    texts: { "t/f": "new" },
    more: (built) => assert.equal(built.entry("t/f")?.kind, "file"),
  },
  {
    name: "COPY: directories of lower layers keep their attributes",
    files: tree,
    dockerfile: "FROM base\nRUN mkdir -m 711 /p && chown 3:4 /p\nCOPY a.txt /p/",
    modes: { p: "711 3:4", "p/a.txt": "644 0:0" },
  },
  {
    name: "COPY: --exclude",
    files: tree,
    dockerfile: "FROM base\nCOPY --exclude=sub --exclude=.h* d /x/",
    texts: { "x/one": "1", "x/sub/two": null, "x/.hidden": null },
  },
  {
    name: "COPY: --parents",
    files: tree,
    dockerfile: "FROM base\nCOPY --parents d/sub/two d/./sub /x/",
    texts: { "x/d/sub/two": "2", "x/sub/two": "2" },
  },
  {
    name: "COPY: here-documents",
    dockerfile: "FROM base\nARG V=1\nCOPY <<a <<'b' /x/\nv=$V\na\nv=$V\nb\n",
    texts: { "x/a": "v=1\n", "x/b": "v=$V\n" },
    modes: { "x/a": "644 0:0" },
  },
  {
    name: "COPY: --from a stage by name, number, and an image",
    dockerfile:
      "FROM base AS One\nRUN echo one > /f\nFROM scratch\nCOPY --from=one /f /1\nCOPY --from=0 /f /2\nCOPY --from=base /etc/passwd /3",
    texts: { 1: "one\n", 2: "one\n" },
    more: (built) => assert.match(built.read("3") ?? "", /^root:/),
  },
  {
    name: "COPY: --from keeps owners, follows symlinks inside the source",
    dockerfile:
      "FROM base AS a\nRUN mkdir /d && echo x > /d/f && chown 9:8 /d/f && ln -s /d /l\nFROM scratch\nCOPY --from=a /l/ /x/",
    texts: { "x/f": "x\n" },
    modes: { "x/f": "644 9:8" },
  },
  {
    name: ".dockerignore: rules, re-inclusion and the Dockerfile's own file",
    files: { ...tree, ".dockerignore": "*\n!d\nd/sub" },
    dockerfile: "FROM base\nCOPY . /x/",
    texts: { "x/a.txt": null, "x/d/one": "1", "x/d/sub/two": null },
  },
  {
    name: ".dockerignore: re-inclusion below an ignored directory",
    files: { ...tree, ".dockerignore": "d\n!d/sub/two" },
    dockerfile: "FROM base\nCOPY . /x/",
    texts: { "x/a.txt": "A", "x/d/one": null, "x/d/sub/two": "2" },
  },
  // ADD
  {
    name: "ADD: archives are unpacked, inside the destination only",
    files: { "a.tar": archive, "b.tgz": gzipSync(archive), "c.tar.zst": zstdCompressSync(archive) },
    dockerfile: "FROM base\nADD a.tar /1/\nADD b.tgz /2\nADD --chown=3:3 c.tar.zst /3/",
    texts: { "1/x/f": "F", "2/x/f": "F", "3/x/f": "F", "1/out": "o", out: null },
    modes: { "1/x": "750 0:0", "1/x/f": "640 7:7", "3/x/f": "640 3:3" },
  },
  {
    name: "ADD: --unpack=false and ordinary files are copied",
    files: { "a.tar": archive, plain: "p", "no.gz": gzipSync("text") },
    dockerfile: "FROM base\nADD --unpack=false a.tar /x/\nADD plain no.gz /y/",
    texts: { "y/plain": "p" },
    more: (built) => assert.deepEqual(built.names("x"), ["a.tar"]),
  },
  {
    name: "ADD: symlinks of an archive lead nowhere outside",
    files: {
      "e.tar": layerTar([
        { name: "l", linkName: "/etc" },
        { name: "l/evil", content: "e" },
        { name: "m", linkName: "../../../../../../../tmp" },
        { name: "m/evil", content: "e" },
      ]),
    },
    dockerfile: "FROM base\nADD e.tar /x/",
    texts: { "etc/evil": "e", "tmp/evil": "e" },
  },
  {
    name: "ADD: entries of another kind replace what is there",
    files: { "r.tar": layerTar([{ name: "d", content: "now a file" }, { name: "f" }, { name: "f/in", content: "i" }]) },
    dockerfile: "FROM base\nRUN mkdir -p /x/d/deep && echo f > /x/f\nADD r.tar /x/",
    texts: { "x/d": "now a file", "x/f/in": "i" },
  },
  // RUN
  {
    name: "RUN: shell and exec form, SHELL",
    dockerfile:
      'FROM base\nRUN echo $0 > /1\nRUN ["/bin/sh", "-c", "echo exec > /2"]\nSHELL ["/bin/sh", "-e", "-c"]\nRUN echo $- > /3',
    texts: { 2: "exec\n" },
    more: (built) => assert.match(built.read("3") ?? "", /e/),
  },
  {
    name: "RUN: environment, directory, user",
    dockerfile:
      'FROM base\nENV A=1\nARG B=2\nWORKDIR /w\nRUN chown app /w\nUSER app\nRUN test "$A$B" = 12 && test "$(pwd)" = /w && test "$(id -u)" = 1000 && touch made',
    modes: { "w/made": "644 1000:1000" },
  },
  {
    name: "RUN: here-documents as script, with #!, and for a command",
    dockerfile:
      "FROM base\nRUN <<EOF\nset -e\necho a > /1\nEOF\nRUN <<EOF\n#!/bin/cat\nhello\nEOF\nRUN cat <<EOF > /2 && echo z > /3\nbody\nEOF\n",
    texts: { 1: "a\n", 2: "body\n", 3: "z\n" },
  },
  {
    name: "RUN: deletions are seen",
    dockerfile:
      "FROM base\nRUN mkdir /d && echo 1 > /d/a && echo 2 > /d/b\nRUN rm /d/a && rm -r /usr\nRUN test ! -e /d/a",
    texts: { "d/a": null, "d/b": "2\n" },
    more: (built) => assert.equal(built.entry("usr"), null),
  },
  {
    name: "RUN: no mount points are left in the layer",
    dockerfile: 'FROM scratch\nCOPY --from=base /bin/busybox /busybox\nRUN ["/busybox", "touch", "/made"]',
    more: (built) => assert.deepEqual(built.names(""), ["busybox", "made"]),
  },
  {
    name: "RUN: standard mount points of the base stay",
    dockerfile: "FROM base\nRUN touch /made",
    more: (built) => assert.ok(["proc", "sys", "dev"].every((name) => built.entry(name)?.kind === "directory")),
  },
  {
    name: "RUN --mount: bind from the context is read-only and obeys the ignore file",
    files: { ...tree, ".dockerignore": "b.txt" },
    dockerfile:
      "FROM base\nRUN --mount=target=/ctx test -f /ctx/a.txt && test ! -e /ctx/b.txt && ! touch /ctx/new && cp /ctx/a.txt /got",
    texts: { got: "A", ctx: null },
    more: (built) => assert.equal(built.entry("ctx"), null),
  },
  {
    name: "RUN --mount: bind from a stage, tmpfs, cache",
    dockerfile:
      "FROM base AS s\nRUN echo s > /f\nFROM base\nRUN --mount=from=s,source=/f,target=/in/f --mount=type=tmpfs,target=/t --mount=type=cache,target=/c sh -c 'cat /in/f > /c/kept && touch /t/x'\nRUN --mount=type=cache,target=/c,sharing=locked cp /c/kept /got",
    texts: { got: "s\n" },
    more: (built) => assert.deepEqual([built.entry("t"), built.entry("c"), built.entry("in")], [null, null, null]),
  },
  { name: "RUN --network=none", dockerfile: "FROM base\nRUN --network=none test $(ls /sys/class/net | wc -l) = 1" },
  // Words and arguments
  {
    name: "ENV: all values of a line see the line before",
    dockerfile: "FROM base\nENV a=1\nENV a=2 b=$a\nRUN test $a$b = 21",
    config: { Cmd: ["sh"], Env: ["PATH=/bin", "a=2", "b=1"], Labels: { from: "base" } },
  },
  {
    name: "ENV beats ARG, build argument beats default",
    dockerfile: "FROM base\nARG x=default\nARG y=default\nENV y=env\nRUN test $x = given && test $y = env",
    options: { buildArgs: { x: "given", y: "given" } },
  },
  {
    name: "ARG: global only when declared again, inherited by stages on top",
    dockerfile:
      'ARG g=global\nFROM base AS one\nRUN test -z "$g"\nARG g\nARG own=1\nFROM one\nRUN test "$g$own" = global1',
  },
  {
    name: "ARG: in FROM, with operators",
    dockerfile: "ARG NAME=ba\nFROM ${NAME:-x}se AS ${NOPE:-final}\nRUN true".replace(" AS ${NOPE:-final}", ""),
  },
  {
    name: "ARG: platform arguments",
    dockerfile:
      "FROM --platform=$BUILDPLATFORM base\nARG TARGETOS TARGETPLATFORM\nRUN test $TARGETOS = linux && test ${TARGETPLATFORM%/*} = linux",
  },
  {
    name: "stages that are not needed are not built",
    dockerfile: "FROM does-not-exist.invalid/x AS unused\nRUN false\nFROM base\nRUN true",
  },
  {
    name: "--target by name",
    dockerfile: "FROM base AS a\nRUN echo a > /a\nFROM a AS b\nRUN false",
    options: { target: "A" },
    texts: { a: "a\n" },
  },
  // Lexical
  {
    name: "escape directive, comments and blanks in continuations, lower case keywords",
    dockerfile:
      "# escape=`\n# a comment\nfrom base\nrun echo 'a\\b' `\n  # dropped\n\n  > /f && `   \n  echo c >> /f\nLABEL p=C:\\x",
    texts: { f: "a\\b\nc\n" },
    more: (built) => assert.equal(built.result.config.config?.Labels?.["p"], "C:\\x"),
  },
  {
    name: "LABEL and ENV: quotes, escapes, the form with a blank",
    dockerfile: `FROM base\nLABEL q='single $HOME' d="say \\"hi\\" \\$x" e=a\\ b\nENV old all of "this" here\nENV k="a b" l=$k`,
    more: (built) => {
      const { Labels, Env } = built.result.config.config ?? {};
      assert.deepEqual(Labels, { from: "base", q: "single $HOME", d: 'say "hi" $x', e: "a b" });
      assert.deepEqual(Env, ["PATH=/bin", "old=all of this here", "k=a b", "l="]);
    },
  },
  {
    name: "COPY <<: quotes keep variables, tabs go with <<-, several bodies in order",
    dockerfile: "FROM base\nARG v=1\nCOPY <<a <<-'b' /d/\n$v ${v:-2} \"q\"\na\n\t$v\n\tb\nRUN <<x cat > /o\n$HOME\nx",
    texts: { "d/a": '1 1 "q"\n', "d/b": "$v\n" },
  },
  {
    name: "USER with a group, by name and by number; WORKDIR is theirs, COPY is not",
    files: { f: "f" },
    dockerfile:
      "FROM base\nUSER app:0\nWORKDIR /w\nCOPY f g\nUSER 5:6\nWORKDIR n\nRUN id -u > /tmp/i && id -G >> /tmp/i\nUSER nobody-here\n",
    texts: { "tmp/i": "5\n6\n" },
    modes: { w: "755 1000:0", "w/g": "644 0:0", "w/n": "755 5:6" },
  },
  {
    name: "CMD and ENTRYPOINT: not JSON is shell form; CMD before ENTRYPOINT of the same stage stays",
    dockerfile: 'FROM base\nCMD [\'x\']\nENTRYPOINT ["/e", "a b"]',
    more: (built) => {
      assert.deepEqual(built.result.config.config?.Cmd, ["/bin/sh", "-c", "['x']"]);
      assert.deepEqual(built.result.config.config?.Entrypoint, ["/e", "a b"]);
    },
  },
  // Config
  {
    name: "metadata",
    dockerfile:
      'FROM base\nMAINTAINER me\nLABEL "a b"="c d" x=${NOPE:-y}\nEXPOSE 80 53/udp 8000-8001\nVOLUME ["/v"]\nUSER app\nWORKDIR /a\nWORKDIR b\nSTOPSIGNAL INT\nHEALTHCHECK --retries=2 CMD true\nENTRYPOINT ["e"]\nCMD ["c"]',
    config: {
      Env: ["PATH=/bin"],
      Cmd: ["c"],
      Entrypoint: ["e"],
      Labels: { from: "base", "a b": "c d", x: "y" },
      ExposedPorts: { "53/udp": {}, "80/tcp": {}, "8000/tcp": {}, "8001/tcp": {} },
      Volumes: { "/v": {} },
      User: "app",
      WorkingDir: "/a/b",
      StopSignal: "INT",
      Healthcheck: { Test: ["CMD-SHELL", "true"], Retries: 2 },
    },
    modes: { a: "755 1000:1000", "a/b": "755 1000:1000" },
    more: (built) => assert.equal(built.result.config.author, "me"),
  },
  {
    name: "ENTRYPOINT takes an inherited CMD away, not its own",
    dockerfile: 'FROM base\nENTRYPOINT ["e"]',
    more: (built) => assert.equal(built.result.config.config?.Cmd, undefined),
  },
  {
    name: "shell form of CMD uses SHELL",
    dockerfile: 'FROM base\nSHELL ["/bin/sh", "-xc"]\nCMD run me',
    config: {
      Cmd: ["/bin/sh", "-xc", "run me"],
      Env: ["PATH=/bin"],
      Labels: { from: "base" },
      Shell: ["/bin/sh", "-xc"],
    },
  },
  {
    name: "PATH is set for scratch, --label goes in last",
    dockerfile: "FROM scratch\nLABEL a=1",
    options: { labels: { a: "2" } },
    config: { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], Labels: { a: "2" } },
  },
  {
    name: "VOLUME keeps what is written below it later",
    dockerfile: "FROM base\nVOLUME /v\nRUN mkdir /v && echo x > /v/f",
    texts: { "v/f": "x\n" },
  },
  {
    name: "ONBUILD of a stage runs in the next one only",
    dockerfile:
      "FROM base AS p\nONBUILD RUN echo t > /t\nFROM p AS c\nRUN test -e /t && rm /t\nFROM c\nRUN test ! -e /t",
    texts: { t: null },
  },
  {
    name: "history: one line each, empty ones marked, diff ids match",
    dockerfile: 'FROM scratch\nENV a=1\nCOPY <<f /f\nx\nf\nCMD ["x"]',
    more: (built) => {
      const history = built.result.config.history ?? [];
      assert.deepEqual(
        history.map((entry) => [entry.created_by, entry.empty_layer ?? false]),
        [
          ["ENV a=1", true],
          ["COPY <<f /f", false],
          ['CMD ["x"]', true],
        ],
      );
      assert.equal(built.result.config.rootfs.diff_ids.length, 1);
      assert.ok(history.every((entry) => typeof entry.created === "string"));
    },
  },
  {
    name: "SOURCE_DATE_EPOCH fixes the time of the image",
    dockerfile: "FROM scratch\nLABEL a=1",
    options: { buildArgs: { SOURCE_DATE_EPOCH: "1000000000" } },
    more: (built) => assert.equal(built.result.config.created, "2001-09-09T01:46:40.000Z"),
  },
];

for (const probe of PROBES) {
  test(`build: ${probe.name}`, { skip: UNABLE }, async () => {
    const built = await host.build(probe.dockerfile, probe.files, probe.options);
    for (const [path, want] of Object.entries(probe.texts ?? {})) assert.equal(built.read(path), want, path);
    for (const [path, want] of Object.entries(probe.modes ?? {})) {
      const entry = built.entry(path);
      assert.equal(entry === null ? "missing" : `${entry.mode.toString(8)} ${entry.uid}:${entry.gid}`, want, path);
    }
    if (probe.config !== undefined) assert.deepEqual(built.result.config.config, probe.config);
    probe.more?.(built);
  });
}

test("build: bzip2 and xz archives are unpacked by their programs", { skip: UNABLE }, async () => {
  const directory = host.context({ "a.tar": archive });
  execFileSync("xz", ["-k", join(directory, "a.tar")]);
  const built = await host.build("FROM scratch\nADD a.tar.xz /x/", {}, { context: directory });
  assert.equal(built.read("x/x/f"), "F");
  assert.ok(readFileSync(join(directory, "a.tar.xz")).length > 0);
});
