// What goes beyond a well-formed request: clients that send what nobody wants, too much of it, or something that is no HTTP.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf } from "@teu/image/digest";
import { rawRequest, rawSocket } from "@teu/testkit/raw-http";

import { Registry } from "./registry.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const MIB = 1 << 20;

test("Registry: who is refused while still sending gets the answer, not a broken connection", async () => {
  await using registry = await Registry.listen({ deletes: false, limits: { linger: 600_000 } });
  const body = Buffer.alloc(24 * MIB, "x");
  const digest = digestOf("something else");
  const cases: readonly (readonly [method: string, path: string, status: number, code: string])[] = [
    ["PUT", "/v2/a/manifests/t", 413, "SIZE_INVALID"],
    ["POST", "/v2/a/blobs/uploads/?digest=sha256:abc", 400, "DIGEST_INVALID"],
    ["POST", "/v2/A/blobs/uploads/", 400, "NAME_INVALID"],
    ["PATCH", "/v2/a/blobs/uploads/nobody", 404, "BLOB_UPLOAD_UNKNOWN"],
    ["PUT", `/v2/a/blobs/uploads/nobody?digest=${digest}`, 404, "BLOB_UPLOAD_UNKNOWN"],
    ["DELETE", `/v2/a/blobs/${digest}`, 405, "UNSUPPORTED"],
    ["POST", "/v2/", 405, "UNSUPPORTED"],
  ];
  for (const [method, path, status, code] of cases) {
    for (const announced of [true, false]) {
      const answer = await send(registry.address, `${method} ${path}`, body, announced);
      assert.deepEqual([answer.status, answer.code], [status, code], `${method} ${path}, announced ${announced}`);
    }
  }
});

/** Sends a body with its length announced, or in chunks without; reads only when all is sent, as a client does that is busy. */
async function send(
  address: string,
  line: string,
  body: Buffer,
  announced: boolean,
): Promise<{ status: number; code: string | undefined }> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect({ host, port: Number(port) });
  const length = announced ? `content-length: ${body.length}` : "transfer-encoding: chunked";
  const write = (data: Buffer | string): Promise<unknown> =>
    new Promise((resolve, reject) => socket.write(data, (error) => (error ? reject(error) : resolve(undefined))));
  try {
    await write(`${line} HTTP/1.1\r\nhost: x\r\ncontent-type: ${MANIFEST}\r\n${length}\r\n\r\n`);
    for (let at = 0; at < body.length; at += MIB) {
      const part = body.subarray(at, at + MIB);
      await write(
        announced ? part : Buffer.concat([Buffer.from(`${MIB.toString(16)}\r\n`), part, Buffer.from("\r\n")]),
      );
      // Time for the server to refuse, and to close if it does so.
      if (at < 8 * MIB) await sleep(10);
    }
    if (!announced) await write("0\r\n\r\n");
    let text = "";
    for await (const chunk of socket.setEncoding("utf8")) text += chunk as string;
    const { errors } = JSON.parse(text.slice(text.indexOf("\r\n\r\n"))) as { errors: { code: string }[] };
    return { status: Number(text.split(" ")[1]), code: errors[0]?.code };
  } finally {
    socket.destroy();
  }
}

test("Registry: who goes on sending after a refusal is cut off", async () => {
  await using registry = await Registry.listen({ limits: { linger: 200 } });
  const head = "PATCH /v2/a/blobs/uploads/nobody HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
  const answer = await rawSocket(registry.address, `${head}only a little`, 30_000);
  assert.match(answer, /^HTTP\/1\.1 404 .*BLOB_UPLOAD_UNKNOWN/s);
  assert.equal((await rawRequest(`${registry.url}/v2/`)).status, 200);
});

test("Registry: what is no HTTP is refused in the form that clients of registries know", async () => {
  await using registry = await Registry.listen();
  const cases: readonly (readonly [request: string, status: number])[] = [
    ["nonsense\r\n\r\n", 400],
    ["GET /v2/ HTTP/1.1\r\nhost x\r\n\r\n", 400],
    [`GET /v2/ HTTP/1.1\r\nhost: x\r\nx-long: ${"x".repeat(40_000)}\r\n\r\n`, 431],
    ["PUT /v2/a/manifests/t HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", 400],
  ];
  for (const [request, status] of cases) {
    const answer = await rawSocket(registry.address, request, 10_000);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\n\\r\\n\\{"errors":\\[`), request.slice(0, 60));
  }
  // Nothing is written into an answer that is under way, or behind one that closes the connection.
  const two = await rawSocket(
    registry.address,
    "GET /v2/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\nnonsense\r\n\r\n",
    10_000,
  );
  assert.equal(two.match(/HTTP\/1\.1/g)?.length, 1);
});
