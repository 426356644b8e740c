// The order in which a push reaches the disk, as the kernel sees it: what a power cut leaves depends on nothing else. Needs strace.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { digestOf } from "@teu/image/digest";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

const TEU = new URL("../../bin/teu", import.meta.url).pathname;
const INDEX = "application/vnd.oci.image.index.v1+json";

function unable(): string | undefined {
  if (!existsSync(TEU)) return "bin/teu is not built";
  try {
    execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "strace is not installed, or may not trace here";
  }
}

/** One system call: its text, and the lines of the trace where it began and ended. */
interface Call {
  readonly text: string;
  readonly began: number;
  readonly ended: number;
}

function callsOf(trace: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<string, { text: string; began: number }>();
  for (const [line, content] of trace.split("\n").entries()) {
    const [, thread = "", text = ""] = /^(\d+) +(.*)$/.exec(content) ?? [];
    if (text.endsWith("<unfinished ...>")) open.set(thread, { text, began: line });
    else if (text.startsWith("<... ")) {
      const begun = open.get(thread);
      if (begun !== undefined) calls.push({ ...begun, ended: line });
    } else calls.push({ text, began: line, ended: line });
  }
  return calls;
}

/** That there are calls that fit the patterns, each begun only after the one before had ended. */
function assertOrder(calls: readonly Call[], patterns: readonly RegExp[]): void {
  let after = -1;
  for (const pattern of patterns) {
    const found = calls.find(({ text, began }) => began > after && pattern.test(text));
    assert.ok(found !== undefined, `no ${pattern} behind line ${after}:\n${calls.map(({ text }) => text).join("\n")}`);
    after = found.ended;
  }
}

const reason = unable();

test(
  "registry: a push is on disk, content before name before index, before it is acknowledged",
  reason === undefined ? {} : { skip: reason },
  async () => {
    await using directory = await tempRoot();
    const trace = directory.join("trace");
    const argv = ["-f", "-y", "-s", "60", "-o", trace, "-e", "trace=fsync,fdatasync,rename,write,writev,sendto"];
    const serve = [TEU, "registry", "serve", "--addr", "127.0.0.1:0", "--root", directory.join("data")];
    const child = spawn("strace", [...argv, ...serve], { stdio: ["ignore", "pipe", "ignore"] });
    const ended = once(child, "close");
    try {
      const [line] = (await Promise.race([once(child.stdout, "data"), ended.then(() => [""])])) as [unknown];
      const url = /listening on (\S+)/.exec(String(line))?.[1] ?? "";
      const blob = Buffer.alloc(100_000, "x");
      const upload = `${url}/v2/a/blobs/uploads/?digest=${digestOf(blob)}`;
      assert.equal((await rawRequest(upload, { method: "POST", body: blob })).status, 201);
      const body = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] });
      const put = { method: "PUT", body, headers: { "content-type": INDEX } };
      assert.equal((await rawRequest(`${url}/v2/a/manifests/t`, put)).status, 201);
      const hex = digestOf(blob).slice(7);
      const index = /^f(?:data)?sync\(\d+<[^>]*registry\.db-wal>/;
      assertOrder(callsOf(readFileSync(trace, "utf8")), [
        /^f(?:data)?sync\(\d+<[^>]*\/uploads\/[0-9a-f-]+>/,
        new RegExp(`^rename\\("[^"]*/uploads/.*/blobs/sha256/${hex.slice(0, 8)}`),
        /^fsync\(\d+<[^>]*\/blobs\/sha256>/,
        index,
        /"HTTP\/1\.1 201/,
        index,
        /"HTTP\/1\.1 201/,
      ]);
    } finally {
      // The tracer ends with what it traces.
      const children = `/proc/${child.pid}/task/${child.pid}/children`;
      const served = existsSync(children) ? readFileSync(children, "utf8").trim() : "";
      for (const pid of served.split(/\s+/)) if (pid !== "") process.kill(Number(pid), "SIGTERM");
      await ended;
    }
  },
);
