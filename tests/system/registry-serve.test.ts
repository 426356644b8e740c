// `serve` as a process: signals, acknowledged pushes after a kill, start-up errors.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { digestOf } from "@teu/image/digest";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot } from "@teu/testkit/temp-root";

const PROGRAM = `
  import { createScope } from "@teu/base/scope";
  import { serve } from "@teu/registry/serve";
  const [address, root] = process.argv.slice(1);
  try {
    const signal = await serve(createScope(), { address, root, ready: (registry) => console.log(registry.url) });
    console.log("ended by " + signal);
  } catch (error) {
    console.log(error.message + " | " + error.hint);
    process.exitCode = 1;
  }
`;

interface Running extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
  /** All that it printed, once it has ended. */
  output(): Promise<string>;
}

async function start(address: string, root: string): Promise<Running> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, address, root], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: import.meta.dirname,
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const ended = once(child, "close");
  await Promise.race([once(child.stdout, "data"), ended]);
  return {
    url: text.split("\n")[0] ?? "",
    child,
    output: async () => {
      await ended;
      return text;
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await ended;
    },
  };
}

test("serve: ends on SIGINT and SIGTERM, and keeps what was pushed", async () => {
  await using root = await tempRoot();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using running = await start("127.0.0.1:0", root.path);
    const push = await rawRequest(`${running.url}/v2/a/blobs/uploads/?digest=${digestOf(signal)}`, {
      method: "POST",
      body: signal,
    });
    assert.equal(push.status, 201);
    running.child.kill(signal);
    assert.match(await running.output(), new RegExp(`ended by ${signal}`));
    assert.equal(running.child.exitCode, 0);
  }
  await using running = await start("127.0.0.1:0", root.path);
  for (const text of ["SIGINT", "SIGTERM"])
    assert.equal((await rawRequest(`${running.url}/v2/a/blobs/${digestOf(text)}`)).text, text);
});

test("serve: an acknowledged push survives kill -9, an unfinished upload can go on", async () => {
  await using root = await tempRoot();
  let path = "";
  {
    await using running = await start("127.0.0.1:0", root.path);
    await rawRequest(`${running.url}/v2/a/blobs/uploads/?digest=${digestOf("whole")}`, {
      method: "POST",
      body: "whole",
    });
    path = (await rawRequest(`${running.url}/v2/a/blobs/uploads/`, { method: "POST" })).headers.location ?? "";
    await rawRequest(running.url + path, { method: "PATCH", body: "begun, " });
    running.child.kill("SIGKILL");
  }
  await using running = await start("127.0.0.1:0", root.path);
  assert.equal((await rawRequest(`${running.url}/v2/a/blobs/${digestOf("whole")}`)).text, "whole");
  assert.equal((await rawRequest(running.url + path)).headers.range, "0-6");
  const end = await rawRequest(`${running.url}${path}?digest=${digestOf("begun, ended")}`, {
    method: "PUT",
    body: "ended",
  });
  assert.equal(end.status, 201);
});

test("serve: says why it does not start", async () => {
  await using root = await tempRoot();
  await using first = await start("127.0.0.1:0", root.path);
  const address = first.url.replace("http://", "");
  await using second = await start(address, root.join("other"));
  assert.match(await second.output(), /another program listens there.* \| choose another port/);
  assert.equal(second.child.exitCode, 1);
  await using third = await start("127.0.0.1:0", "/proc/nowhere");
  assert.match(await third.output(), /cannot use registry root "\/proc\/nowhere"/);
});
