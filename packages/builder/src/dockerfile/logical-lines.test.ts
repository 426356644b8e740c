import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTeuError } from "@teu/base/errors";
import { lexDockerfile, MAX_LINE_BYTES } from "./logical-lines.ts";

const texts = (source: string): string[] => lexDockerfile("Dockerfile", source).lines.map((line) => line.text);

const CASES: readonly { name: string; source: string; want: string[] }[] = [
  { name: "blank lines and comments are dropped", source: "\n# c\n  # c\nFROM a\n\n", want: ["FROM a"] },
  { name: "byte order mark is dropped", source: "\ufeffFROM a\n", want: ["FROM a"] },
  { name: "CRLF ends lines", source: "FROM a\r\nRUN b \\\r\n c\r\n", want: ["FROM a", "RUN b  c"] },
  { name: "continuation joins", source: "RUN a \\\n  b\\\nc", want: ["RUN a   bc"] },
  { name: "blanks after the escape are allowed", source: "RUN a \\  \t\n b", want: ["RUN a  b"] },
  { name: "comments inside a continuation are dropped", source: "RUN a \\\n# c \\\n  # d\n b", want: ["RUN a  b"] },
  {
    name: "empty lines inside a continuation are skipped",
    source: "RUN a \\\n\n b\nRUN c",
    want: ["RUN a  b", "RUN c"],
  },
  { name: "an escaped escape does not continue", source: "RUN a \\\\\nRUN b", want: ["RUN a \\\\", "RUN b"] },
  { name: "a lone escape continues", source: "\\\nRUN a", want: ["RUN a"] },
  { name: "continuation at the end of the file", source: "RUN a \\", want: ["RUN a "] },
  { name: "leading blanks of the first line only", source: "   RUN a \\\n   b", want: ["RUN a    b"] },
  {
    name: "escape directive",
    source: "# escape=`\nRUN a `\n b\nRUN c:\\\nRUN d",
    want: ["RUN a  b", "RUN c:\\", "RUN d"],
  },
  { name: "a hash inside a line is text", source: "RUN a # b", want: ["RUN a # b"] },
];

for (const { name, source, want } of CASES) test(`lexDockerfile: ${name}`, () => assert.deepEqual(texts(source), want));

test("lexDockerfile: positions are physical lines", () => {
  const lines = lexDockerfile("D", "# x\n\nFROM a\nRUN b \\\n c\nCOPY <<E /x\n1\n2\nE\nUSER z\n").lines;
  assert.deepEqual(
    lines.map((line) => [line.at.line, line.at.endLine]),
    [
      [3, 3],
      [4, 5],
      [6, 9],
      [10, 10],
    ],
  );
});

test("lexDockerfile: here-documents in order, with chomp, quotes and descriptor", () => {
  const source = "RUN 3<<A cat <<-'B' && x <<\"C D\"\nbody $a\nA\n\t\tindent\n\tB\nlast\nC D\nUSER u\n";
  const [run, user] = lexDockerfile("D", source).lines;
  assert.deepEqual(run?.heredocs, [
    { name: "A", expand: true, chomp: false, fd: 3, content: "body $a\n" },
    { name: "B", expand: false, chomp: true, fd: 0, content: "indent\n" },
    { name: "C D", expand: false, chomp: false, fd: 0, content: "last\n" },
  ]);
  assert.equal(user?.text, "USER u");
});

test("lexDockerfile: no here-document in quotes, in other instructions, or as <<<", () => {
  assert.deepEqual(texts('RUN echo "<<A"\nENV x=<<B\nRUN cat <<<C\n'), ['RUN echo "<<A"', "ENV x=<<B", "RUN cat <<<C"]);
});

test("lexDockerfile: invalid when a here-document has no end", () => {
  assert.throws(
    () => texts("FROM a\nRUN <<EOF\nx\n"),
    (error) =>
      isTeuError(error, "invalid") && error.message === 'cannot parse "Dockerfile:2": here-document "EOF" has no end',
  );
});

test("lexDockerfile: invalid for a line over 64 KiB, and fine at the limit", () => {
  assert.throws(
    () => texts(`FROM a\nRUN ${"x".repeat(MAX_LINE_BYTES)}`),
    (error) => isTeuError(error, "invalid") && /Dockerfile:2/.test(error.message),
  );
  assert.equal(texts(`RUN ${"x".repeat(MAX_LINE_BYTES - 4)}`).length, 1);
  assert.throws(
    () => texts(`RUN ${"é".repeat(MAX_LINE_BYTES / 2)}`),
    (error) => isTeuError(error, "invalid"),
  );
});

test("lexDockerfile: directives end at the first other line, come once, and keep to their values", () => {
  const directives = (source: string) => lexDockerfile("D", source).directives;
  assert.deepEqual(directives("# syntax=docker/dockerfile:1\n#ESCAPE=`\n# check=skip=all\nFROM a"), {
    escape: "`",
    syntax: "docker/dockerfile:1",
    check: "skip=all",
  });
  assert.deepEqual(directives("# hello\n# escape=`\nFROM a"), { escape: "\\" });
  assert.deepEqual(directives("\n# escape=`\nFROM a"), { escape: "\\" });
  assert.throws(() => directives("# escape=`\n# escape=`\n"), /given twice/);
  assert.throws(() => directives("# escape=x\n"), /escape character/);
});

test("lexDockerfile: any text is lines or `invalid`", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("R", "UN ", "COPY ", "<<", "E", "\n", "\\", "#", " ", "\t", "\r", "'", "-") }),
      (source) => {
        try {
          for (const line of lexDockerfile("D", source).lines)
            assert.ok(line.at.line <= line.at.endLine && line.text.trim() !== "");
        } catch (error) {
          assert.ok(isTeuError(error, "invalid"), String(error));
        }
      },
    ),
  );
});
