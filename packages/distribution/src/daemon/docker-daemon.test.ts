import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { createScope } from "@teu/base/scope";

import { DockerDaemon } from "./docker-daemon.ts";

const scope = createScope();

/** Something that answers as told on a socket of its own. */
async function listening(answer: RequestListener): Promise<{ daemon: DockerDaemon } & AsyncDisposable> {
  const directory = mkdtempSync(join(tmpdir(), "teu-daemon-"));
  const path = join(directory, "docker.sock");
  const server = createServer(answer).listen(path);
  await once(server, "listening");
  return {
    daemon: new DockerDaemon({ kind: "unix", path }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      rmSync(directory, { recursive: true });
    },
  };
}

async function exported(daemon: DockerDaemon, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of daemon.exportImage(scope, name)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test("DockerDaemon.exportImage: the archive, and what the daemon says instead of one", async () => {
  await using host = await listening((request, response) => {
    const name = new URL(request.url ?? "", "http://x").searchParams.get("names");
    if (name === "a/b:v1") response.end("archive");
    else if (name === "old") response.writeHead(500).end('{"message":"reference does not exist"}');
    else if (name === "cut") response.writeHead(200, { "content-length": "10" }).end("x", () => response.destroy());
    else response.writeHead(404).end('{"message":"No such image: \\u001b[31mx"}');
  });
  assert.equal(await exported(host.daemon, "a/b:v1"), "archive");
  await assert.rejects(exported(host.daemon, "other"), { code: "not-found", message: /No such image: {2}\[31mx/ });
  await assert.rejects(exported(host.daemon, "old"), { code: "not-found" });
  await assert.rejects(exported(host.daemon, "cut"), { code: "unavailable" });
});

test("DockerDaemon.load: everything arrives, and failures are told wherever they come", async () => {
  const got: string[] = [];
  await using host = await listening((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      if (chunk.toString().startsWith("early")) response.writeHead(400).end('{"message":"not wanted"}');
      if (chunk.toString().startsWith("cut")) request.destroy();
    });
    request.on("error", () => {});
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      got.push(text);
      if (text === "inside") response.write('{"stream":"x"}\n{"errorDetail":{"message":"bad"},"error":"bad tar"}\n');
      response.end();
    });
  });
  const load = async (...parts: readonly string[]): Promise<void> => {
    await using output = await host.daemon.load(scope);
    for (const part of parts) await output.write(Buffer.from(part));
    await output.publish();
  };
  await load("one", "", "two");
  assert.deepEqual(got, ["onetwo"]);
  await assert.rejects(load("inside"), { code: "invalid", message: /bad tar/ });
  const many = Array.from({ length: 2000 }, () => "x".repeat(10_000));
  await assert.rejects(load("early", ...many), { message: /not wanted|broke off/ });
  await assert.rejects(load("cut", ...many), { code: "unavailable" });
  // Half an archive is dropped: nothing is left that somebody waits for.
  {
    await using output = await host.daemon.load(scope);
    await output.write(Buffer.from("half"));
  }
  assert.deepEqual(got, ["onetwo", "inside"]);
});

test("DockerDaemon: nobody there, and a scope that has ended", async () => {
  const daemon = new DockerDaemon({ kind: "unix", path: "/nowhere/docker.sock" });
  await assert.rejects(exported(daemon, "x"), { code: "unavailable", hint: /DOCKER_HOST/ });
  await using output = await daemon.load(scope);
  await assert.rejects(output.publish(), { code: "unavailable" });
  const stop = new AbortController();
  stop.abort();
  const ended = createScope({ signal: stop.signal });
  await assert.rejects(daemon.load(ended), { code: "cancelled" });
});
