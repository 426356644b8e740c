// Many clients at once, some push, most pull, all verify what they get: no answer but those that belong there, no connection broken,
// and afterwards everything that was acknowledged is there and whole. `npm run test:load` has 1,000 clients for a minute.
// TEU_LOAD_CLIENTS (default 200) and TEU_LOAD_SECONDS (default 2) say how many and how long.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { test } from "node:test";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { OpenRoot } from "@teu/registry/admin/open-root";
import { verify } from "@teu/registry/admin/verify";
import { tempRoot } from "@teu/testkit/temp-root";

const CLIENTS = Number(process.env["TEU_LOAD_CLIENTS"] ?? 200);
const SECONDS = Number(process.env["TEU_LOAD_SECONDS"] ?? 2);
const TEU = new URL("../../bin/teu", import.meta.url).pathname;
const options = existsSync(TEU) ? {} : { skip: "bin/teu is not built" };
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
/** Images that are there from the beginning, which all clients pull. */
const SHARED = 20;
const LAYER = 50_000;

interface Serving extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Memory of the process, megabytes, and its open files. */
  state(): { readonly rss: number; readonly peak: number; readonly files: number };
}

async function serve(config: string): Promise<Serving> {
  const child = spawn(TEU, ["registry", "serve", "--config", config], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await Promise.race([once(child.stdout, "data"), ended]);
  const [, host = "", port = ""] = /listening on http:\/\/([^:]+):(\d+)/.exec(text) ?? [];
  return {
    host,
    port: Number(port),
    state: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      const megabytes = (name: string): number =>
        Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024);
      return { rss: megabytes("VmRSS"), peak: megabytes("VmHWM"), files: readdirSync(`/proc/${child.pid}/fd`).length };
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

/** One client: a connection of its own, which stays open, and what it counts. */
class Client {
  readonly #server: Serving;
  readonly #agent: Agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly statuses: Map<string, number>;
  readonly #id: number;
  #state: number;

  constructor(server: Serving, id: number, statuses: Map<string, number>) {
    this.#server = server;
    this.#id = id;
    this.#state = id + 1;
    this.statuses = statuses;
  }

  close(): void {
    this.#agent.destroy();
  }

  async send(method: string, path: string, body?: Buffer, headers: Record<string, string> = {}): Promise<Answer> {
    const { host, port } = this.#server;
    const answer = await new Promise<Answer>((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": String(body.length) };
      const outgoing = request({ host, port, method, path, agent: this.#agent, headers: { ...headers, ...length } });
      outgoing.once("error", reject);
      outgoing.once("response", (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.once("error", reject);
        incoming.once("end", () =>
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, bytes: Buffer.concat(chunks) }),
        );
      });
      outgoing.end(body);
    });
    const key = `${method} ${answer.status}`;
    this.statuses.set(key, (this.statuses.get(key) ?? 0) + 1);
    return answer;
  }

  random(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  /** Pushes an image with a layer of its own, in one of the ways clients have. Its body. */
  async push(repository: string, tag: string): Promise<string> {
    const texts = ["{}", `${this.#id} ${tag} `.padEnd(LAYER, "x"), `common ${this.random(5)}`.padEnd(LAYER, "y")];
    const blobs = texts.map((text) => Buffer.from(text));
    for (const blob of blobs) await this.#blob(repository, blob);
    const [config, ...layers] = blobs.map((blob) => ({ mediaType: "m/t", digest: digestOf(blob), size: blob.length }));
    const body = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers, annotations: { tag } });
    const put = await this.send("PUT", `/v2/${repository}/manifests/${tag}`, Buffer.from(body), {
      "content-type": MANIFEST,
    });
    assert.equal(put.status, 201, put.bytes.toString());
    return body;
  }

  async #blob(repository: string, blob: Buffer): Promise<void> {
    const digest = digestOf(blob);
    const head = await this.send("HEAD", `/v2/${repository}/blobs/${digest}`);
    if (head.status === 200) return;
    assert.equal(head.status, 404);
    const begun = await this.send("POST", `/v2/${repository}/blobs/uploads/`);
    assert.equal(begun.status, 202, begun.bytes.toString());
    let place = String(begun.headers.location);
    if (this.random(2) === 0) {
      const patched = await this.send("PATCH", place, blob.subarray(0, 20_000));
      assert.equal(patched.status, 202, patched.bytes.toString());
      place = String(patched.headers.location);
      blob = blob.subarray(20_000);
    }
    const put = await this.send("PUT", `${place}?digest=${digest}`, blob);
    assert.equal(put.status, 201, put.bytes.toString());
  }

  /** Pulls an image as clients do, and looks at every byte. */
  async pull(repository: string, tag: string): Promise<string> {
    const got = await this.send("GET", `/v2/${repository}/manifests/${tag}`);
    assert.equal(got.status, 200, got.bytes.toString());
    const body = got.bytes.toString();
    const { layers } = JSON.parse(body) as { layers: { digest: string }[] };
    for (const { digest } of layers) {
      const blob = await this.send("GET", `/v2/${repository}/blobs/${digest}`);
      assert.equal(blob.status, 200, blob.bytes.subarray(0, 500).toString());
      assert.equal(digestOf(blob.bytes), digest);
    }
    return body;
  }
}

test(`registry: ${CLIENTS} clients push and pull at once for ${SECONDS} s`, options, async (t) => {
  await using directory = await tempRoot();
  const root = directory.join("data");
  writeFileSync(directory.join("config.yaml"), `address: 127.0.0.1:0\nroot: ${root}\n`);
  const statuses = new Map<string, number>();
  const pushed = new Map<string, string>();
  {
    await using server = await serve(directory.join("config.yaml"));
    const first = new Client(server, -1, statuses);
    for (let i = 0; i < SHARED; i++) pushed.set(`shared/app s${i}`, await first.push("shared/app", `s${i}`));
    const end = performance.now() + SECONDS * 1000;
    const one = async (id: number): Promise<void> => {
      const client = new Client(server, id, statuses);
      try {
        for (let turn = 0; turn === 0 || performance.now() < end; turn++) {
          if (client.random(10) < 3) {
            const [repository, tag] = [`team${id % 7}/app${id % 3}`, `t${id}-${turn % 4}`];
            pushed.set(`${repository} ${tag}`, await client.push(repository, tag));
            assert.equal(await client.pull(repository, tag), pushed.get(`${repository} ${tag}`));
          } else {
            const tag = `s${client.random(SHARED)}`;
            assert.equal(await client.pull("shared/app", tag), pushed.get(`shared/app ${tag}`));
          }
        }
      } finally {
        client.close();
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, id) => one(id)));
    t.diagnostic(JSON.stringify(Object.fromEntries([...statuses].sort())));
    t.diagnostic(JSON.stringify(server.state()));
    for (const [key, body] of pushed) {
      const [repository, tag] = key.split(" ");
      assert.equal((await first.send("GET", `/v2/${repository}/manifests/${tag}`)).bytes.toString(), body, key);
    }
    first.close();
  }
  await using opened = await OpenRoot.open(createScope(), root);
  assert.deepEqual((await verify(createScope(), opened)).findings, []);
});

test(
  "registry: where requests are limited, many clients get 429 with a time to wait, and nothing else",
  options,
  async () => {
    await using directory = await tempRoot();
    writeFileSync(
      directory.join("config.yaml"),
      "address: 127.0.0.1:0\nmemory: true\nrequests:\n  perAddress: { rate: 200, burst: 50 }\n",
    );
    await using server = await serve(directory.join("config.yaml"));
    const statuses = new Map<string, number>();
    const one = async (id: number): Promise<void> => {
      const client = new Client(server, id, statuses);
      try {
        for (let turn = 0; turn < 10; turn++) {
          const { status, headers } = await client.send("GET", "/v2/");
          if (status === 429) assert.match(String(headers["retry-after"]), /^[1-9]\d*$/);
        }
      } finally {
        client.close();
      }
    };
    await Promise.all(Array.from({ length: 50 }, (_, id) => one(id)));
    assert.deepEqual([...statuses.keys()].sort(), ["GET 200", "GET 429"]);
  },
);
