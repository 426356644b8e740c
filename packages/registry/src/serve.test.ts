import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";

import type { Registry } from "./registry.ts";
import { serve } from "./serve.ts";

test("serve: a request under way when the scope ends is answered", async () => {
  const stop = new AbortController();
  const listening = Promise.withResolvers<Registry>();
  const serving = serve(createScope({ signal: stop.signal }), { address: "127.0.0.1:0", ready: listening.resolve });
  const { address, storages } = await listening.promise;
  const socket = connect(Number(address.split(":")[1]), "127.0.0.1");
  let answer = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (answer += chunk));
  socket.write(
    `POST /v2/a/blobs/uploads/?digest=${digestOf("slow")} HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nsl`,
  );
  const begun = async (): Promise<boolean> => {
    for await (const _ of storages.blobs.listUploads(createScope())) return true;
    return false;
  };
  while (!(await begun())) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.write("ow");
  await once(socket, "close");
  assert.equal(await serving, null);
  assert.match(answer, /^HTTP\/1.1 201 /);
});
