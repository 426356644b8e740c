import assert from "node:assert/strict";
import { test } from "node:test";
import { DockerfileParser } from "dockerfile-ast";
import fc from "fast-check";
import { isTeuError } from "@teu/base/errors";
import type { Instruction } from "./instructions/instruction.ts";
import { parseDockerfile, parseTriggers } from "./parse-dockerfile.ts";

function one(text: string): Omit<Instruction, "at" | "text"> {
  const instruction = parseDockerfile("Dockerfile", `FROM a\n${text}\n`).stages[0]?.instructions[0];
  assert.ok(instruction !== undefined);
  const { at: _at, text: _text, ...rest } = instruction;
  return rest;
}

const files = { heredocs: [], link: false, parents: false, exclude: [] };
const CASES: readonly (readonly [string, object])[] = [
  ["RUN echo hi", { kind: "run", command: { kind: "shell", text: "echo hi" }, heredocs: [], mounts: [] }],
  ['run ["a", "b"]', { kind: "run", command: { kind: "exec", args: ["a", "b"] }, heredocs: [], mounts: [] }],
  ["RUN [ -f x ] && y", { kind: "run", command: { kind: "shell", text: "[ -f x ] && y" }, heredocs: [], mounts: [] }],
  [
    "RUN --mount=type=tmpfs,target=/x --mount=type=cache,target=/y --network=none a",
    {
      kind: "run",
      command: { kind: "shell", text: "a" },
      heredocs: [],
      mounts: ["type=tmpfs,target=/x", "type=cache,target=/y"],
      network: "none",
    },
  ],
  ["COPY a b /c/", { kind: "copy", sources: ["a", "b"], destination: "/c/", ...files }],
  ['COPY ["a b", "c d"]', { kind: "copy", sources: ["a b"], destination: "c d", ...files }],
  [
    "COPY --from=x --chown=1:2 --chmod=755 --link a b",
    { kind: "copy", sources: ["a"], destination: "b", ...files, link: true, from: "x", chown: "1:2", chmod: "755" },
  ],
  [
    "COPY --exclude=*.md --exclude=x --link=false a b",
    { kind: "copy", sources: ["a"], destination: "b", ...files, exclude: ["*.md", "x"] },
  ],
  ["ADD --unpack=false a.tar /", { kind: "add", sources: ["a.tar"], destination: "/", ...files, unpack: false }],
  [
    "ENV a=b c='d e' f=g\\ h",
    {
      kind: "env",
      pairs: [
        ["a", "b"],
        ["c", "'d e'"],
        ["f", "g\\ h"],
      ],
    },
  ],
  ["ENV a b c", { kind: "env", pairs: [["a", "b c"]] }],
  ['LABEL "a b"="c d"', { kind: "label", pairs: [['"a b"', '"c d"']] }],
  [
    "ARG a b=c d='e f'",
    { kind: "arg", args: [{ name: "a" }, { name: "b", value: "c" }, { name: "d", value: "'e f'" }] },
  ],
  ["WORKDIR /a b", { kind: "workdir", value: "/a b" }],
  ["USER u:g", { kind: "user", value: "u:g" }],
  ["STOPSIGNAL SIGINT", { kind: "stopsignal", value: "SIGINT" }],
  ["MAINTAINER some one", { kind: "maintainer", value: "some one" }],
  ['CMD ["a"]', { kind: "cmd", command: { kind: "exec", args: ["a"] } }],
  ["CMD a b", { kind: "cmd", command: { kind: "shell", text: "a b" } }],
  ["CMD []", { kind: "cmd", command: { kind: "exec", args: [] } }],
  ["ENTRYPOINT a", { kind: "entrypoint", command: { kind: "shell", text: "a" } }],
  ["EXPOSE 80  443/tcp 1-2/udp", { kind: "expose", values: ["80", "443/tcp", "1-2/udp"] }],
  ["VOLUME /a /b", { kind: "volume", values: ["/a", "/b"] }],
  ['VOLUME ["/a b"]', { kind: "volume", values: ["/a b"] }],
  ['SHELL ["/bin/bash", "-c"]', { kind: "shell", values: ["/bin/bash", "-c"] }],
  ["HEALTHCHECK NONE", { kind: "healthcheck", healthcheck: { Test: ["NONE"] } }],
  [
    "HEALTHCHECK --interval=1m30s --retries=3 CMD a b",
    { kind: "healthcheck", healthcheck: { Test: ["CMD-SHELL", "a b"], Interval: 90e9, Retries: 3 } },
  ],
  ['HEALTHCHECK --timeout=500ms CMD ["a"]', { kind: "healthcheck", healthcheck: { Test: ["CMD", "a"], Timeout: 5e8 } }],
  ["ONBUILD RUN x", { kind: "onbuild", trigger: "RUN x" }],
];

for (const [text, want] of CASES) test(`parseDockerfile: ${text}`, () => assert.deepEqual(one(text), want));

test("parseDockerfile: a here-document as source is no path", () => {
  const copy = parseDockerfile("D", "FROM a\nCOPY <<A b <<'C' /d/\n1\nA\n2\nC\n").stages[0]?.instructions[0];
  assert.ok(copy?.kind === "copy");
  assert.deepEqual(copy.sources, ["b"]);
  assert.deepEqual(
    copy.heredocs.map((heredoc) => heredoc.name),
    ["A", "C"],
  );
});

const BAD: readonly (readonly [string, string, string?])[] = [
  ["", 'cannot parse "Dockerfile:1": there is no FROM in it', "begin with FROM image, or FROM scratch"],
  [
    "RUN x",
    'cannot parse "Dockerfile:1": RUN stands in front of the first FROM',
    "only ARG may; begin with FROM image",
  ],
  ["FROM a\nRUNN x", 'cannot parse "Dockerfile:2": instruction "RUNN" is not known', "did you mean RUN?"],
  ["FROM a\nCOPPY x y", 'cannot parse "Dockerfile:2": instruction "COPPY" is not known', "did you mean COPY?"],
  [
    "FROM a b",
    'cannot parse "Dockerfile:1": FROM takes one image and an optional name',
    "write FROM image or FROM image AS name",
  ],
  [
    "FROM a AS 1x",
    'cannot parse "Dockerfile:1": "1x" cannot name a stage',
    'a stage name begins with a letter and goes on with letters, digits, "-", "_" and "."',
  ],
  [
    "FROM a\nCOPY --chwon=1 a b",
    'cannot parse "Dockerfile:2": COPY does not know the flag --chwon',
    "did you mean --chown?",
  ],
  ["FROM a\nCOPY --from a b", 'cannot parse "Dockerfile:2": flag --from needs a value', "write --from=VALUE"],
  ["FROM a\nCOPY --from=a --from=b a b", 'cannot parse "Dockerfile:2": flag --from is given twice'],
  ["FROM a\nCOPY --link=maybe a b", 'cannot parse "Dockerfile:2": flag --link is true or false, not "maybe"'],
  [
    "FROM a\nCOPY --from=$x a b",
    'cannot parse "Dockerfile:2": variables are not expanded in COPY --from',
    "name a stage: FROM ${VARIABLE} AS name, then COPY --from=name",
  ],
  ["FROM a\nCOPY a", 'cannot parse "Dockerfile:2": COPY needs at least one source and a destination'],
  [
    "FROM a\nCOPY a <<E\nE",
    'cannot parse "Dockerfile:2": COPY cannot have a here-document as destination',
    "write the destination last",
  ],
  [
    "FROM a\nADD https://example.org/x /",
    'cannot parse "Dockerfile:2": ADD from "https://example.org/x" is not supported',
    "fetch it in a RUN step, or put it into the context before",
  ],
  ["FROM a\nRUN", 'cannot parse "Dockerfile:2": RUN needs a command'],
  [
    "FROM a\nRUN --network=x y",
    'cannot parse "Dockerfile:2": network "x" is not possible',
    "use default, none or host",
  ],
  [
    "FROM a\nRUN --security=insecure y",
    'cannot parse "Dockerfile:2": RUN --security=insecure is not supported',
    "leave the flag away",
  ],
  ["FROM a\nENV x", 'cannot parse "Dockerfile:2": ENV needs a value for x', "write x=value"],
  [
    "FROM a\nENV x=1 y",
    'cannot parse "Dockerfile:2": "=" is missing in "y"',
    "write name=value; quote values with blanks",
  ],
  ["FROM a\nENV =1", 'cannot parse "Dockerfile:2": the name is missing in "=1"'],
  ["FROM a\nSHELL bash", 'cannot parse "Dockerfile:2": SHELL needs a JSON array', 'write SHELL ["/bin/sh", "-c"]'],
  ["FROM a\nCMD [1]", 'cannot parse "Dockerfile:2": CMD takes a JSON array of strings only'],
  ["FROM a\nHEALTHCHECK x", 'cannot parse "Dockerfile:2": HEALTHCHECK needs NONE or CMD'],
  [
    "FROM a\nHEALTHCHECK --interval=5 CMD x",
    'cannot parse "Dockerfile:2": --interval=5 is not 0 or a duration of at least 1ms',
    'write it as "30s" or "1m30s"',
  ],
  ["FROM a\nONBUILD FROM b", 'cannot parse "Dockerfile:2": FROM cannot be a trigger of ONBUILD'],
  ["FROM a\nUSER", 'cannot parse "Dockerfile:2": USER needs a user'],
  ["FROM a\nWORKDIR --x /a", 'cannot parse "Dockerfile:2": WORKDIR does not know the flag --x'],
];

for (const [source, message, hint] of BAD) {
  test(`parseDockerfile: error for ${JSON.stringify(source)}`, () => {
    assert.throws(
      () => parseDockerfile("Dockerfile", source),
      (error) => {
        assert.ok(isTeuError(error), String(error));
        assert.equal(error.message, message);
        assert.equal(error.hint, hint);
        return true;
      },
    );
  });
}

test("parseDockerfile: stages, global arguments, lower-case names", () => {
  const file = parseDockerfile("D", "ARG V=1\nFROM --platform=$BUILDPLATFORM a:$V AS One\nFROM one\n");
  assert.equal(file.globalArgs.length, 1);
  assert.deepEqual(
    file.stages.map(({ index, from }) => [index, from.image, from.stage, from.platform]),
    [
      [0, "a:$V", "one", "$BUILDPLATFORM"],
      [1, "one", undefined, undefined],
    ],
  );
});

test("parseTriggers: instructions at the FROM that woke them", () => {
  const from = parseDockerfile("D", "FROM a").stages[0]?.from;
  assert.ok(from !== undefined);
  const triggers = parseTriggers(from, ["COPY . /x", "RUN y"]);
  assert.deepEqual(
    triggers.map((trigger) => [trigger.kind, trigger.at.line]),
    [
      ["copy", 1],
      ["run", 1],
    ],
  );
  assert.throws(() => parseTriggers(from, ["FROM x"]), /cannot be one/);
});

test("parseDockerfile: same instructions, lines and flags as dockerfile-ast on any sane file", () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9./_-]{0,8}$/);
  const line = fc.oneof(
    fc.tuple(word, word).map(([a, b]) => `COPY --from=${a} ${b} /${a}`),
    fc.array(word, { minLength: 1 }).map((words) => `RUN ${words.join(" \\\n  ")}`),
    fc.array(word, { minLength: 1 }).map((words) => `CMD ${JSON.stringify(words)}`),
    fc.tuple(word, word).map(([a, b]) => `ENV x=${a} y="${b}"`),
    word.map((text) => `# ${text}`),
    word.map((text) => `RUN cat <<EOF\n${text}\nEOF`),
    fc.constant(""),
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const source = `FROM a AS b\n${lines.join("\n")}\n`;
      const ours = parseDockerfile("D", source).stages[0]?.instructions ?? [];
      const theirs = DockerfileParser.parse(source).getInstructions().slice(1);
      assert.deepEqual(
        ours.map((instruction) => [instruction.kind, instruction.at.line]),
        theirs.map((instruction) => [instruction.getKeyword().toLowerCase(), instruction.getRange().start.line + 1]),
      );
    }),
  );
});

test("parseDockerfile: any text is a file or a TeuError", () => {
  const piece = fc.constantFrom(
    "FROM a\n",
    "RUN ",
    "COPY ",
    "--x",
    "=",
    "[",
    '"',
    "]",
    "a ",
    "\n",
    "\\",
    "<<E",
    "ENV ",
    "ONBUILD ",
    "HEALTHCHECK CMD ",
    "ARG ",
  );
  fc.assert(
    fc.property(
      fc.array(piece).map((pieces) => pieces.join("")),
      (source) => {
        try {
          parseDockerfile("D", source);
        } catch (error) {
          assert.ok(isTeuError(error), String(error));
        }
      },
    ),
  );
});
