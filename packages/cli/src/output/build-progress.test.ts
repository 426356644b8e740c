import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { BuildEvent } from "@teu/builder/progress/build-event";
import { buildProgress } from "./build-progress.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const EVENTS: readonly BuildEvent[] = [
  { kind: "started", id: 1, name: "[1/3] FROM base", time: 0 },
  { kind: "ended", id: 1, outcome: "cached", time: 5 },
  { kind: "started", id: 2, name: "[2/3] RUN make", time: 1000 },
  { kind: "output", id: 2, stream: "stdout", data: bytes("one\ntw"), time: 1100 },
  { kind: "started", id: 3, name: "[other 1/1] COPY a b", time: 1150 },
  { kind: "output", id: 2, stream: "stderr", data: bytes("o\r\n 10%\r 20%\nno end"), time: 1200 },
  { kind: "ended", id: 3, outcome: "done", time: 1250 },
  { kind: "ended", id: 2, outcome: "failed", error: "exit code 2", time: 2000 },
];

function rendered(kind: "plain" | "quiet" | "rawjson"): string {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  using progress = buildProgress(stream as unknown as NodeJS.WriteStream, kind, false);
  for (const event of EVENTS) progress.event(event);
  stream.end();
  return Buffer.concat([...chunks, (stream.read() as Buffer | null) ?? Buffer.alloc(0)]).toString("utf8");
}

test("buildProgress: plain lines", () => {
  assert.equal(
    rendered("plain"),
    [
      "#1 [1/3] FROM base",
      "#1 CACHED",
      "",
      "#2 [2/3] RUN make",
      "#2 0.100 one",
      "",
      "#3 [other 1/1] COPY a b",
      "",
      "#2 0.200 two",
      "#2 0.200  20%",
      "",
      "#3 DONE 0.1s",
      "",
      "#2 1.000 no end",
      "#2 ERROR: exit code 2",
      "",
      "",
    ].join("\n"),
  );
});

test("buildProgress: quiet says nothing, rawjson one object a line", () => {
  assert.equal(rendered("quiet"), "");
  assert.deepEqual(JSON.parse(rendered("rawjson").split("\n")[3] ?? ""), {
    kind: "output",
    id: 2,
    stream: "stdout",
    data: Buffer.from("one\ntw").toString("base64"),
    time: 1100,
  });
});
