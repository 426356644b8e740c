// The registry's HTTP edge: whatever comes, the answer is a status below 500 with errors in the form of the specification, and the
// registry is as whole afterwards as before.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { Registry } from "@teu/registry/registry";
import { OpenRoot } from "@teu/registry/admin/open-root";
import { verify } from "@teu/registry/admin/verify";
import fc from "fast-check";

import { rawRequest } from "../raw-http.ts";
import { type TempRoot, tempRoot } from "../temp-root.ts";
import { damaged, nearly, runs, STRANGE } from "./settings.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const CONFIG = "{}";
const LAYER = "layer content";
const IMAGE = JSON.stringify({
  schemaVersion: 2,
  mediaType: MANIFEST,
  config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(CONFIG), size: 2, data: "e30=" },
  layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: digestOf(LAYER), size: LAYER.length }],
  annotations: { "org.example.key": "value" },
});
/** bcrypt of "pw". */
const USERS = "ann:$2b$04$4p0McFo8n.iSWdGrF1E3iOReu36IMR36cCwMfkSRM8uiECPZBiD3u\n";

let root: TempRoot;
let registry: Registry;
let guarded: Registry;
let token = "";

before(async () => {
  root = await tempRoot();
  registry = await Registry.listen({ root: root.join("data") });
  await writeFile(root.join("users"), USERS);
  guarded = await Registry.listen({ htpasswd: root.join("users"), tokens: {}, anonymousPull: true });
  await pushAll();
  const answer = await rawRequest(`${guarded.url}/token?service=teu-registry&scope=repository:a/b:pull`);
  ({ token } = answer.json<{ token: string }>());
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  await guarded[Symbol.asyncDispose]();
  {
    await using opened = await OpenRoot.open(createScope(), root.join("data"));
    const { findings } = await verify(createScope(), opened);
    assert.deepEqual(findings, []);
  }
  await root[Symbol.asyncDispose]();
});

async function pushAll(): Promise<void> {
  for (const text of [CONFIG, LAYER]) {
    const path = `/v2/a/b/blobs/uploads/?digest=${digestOf(text)}`;
    await rawRequest(registry.url + path, { method: "POST", body: text });
  }
  const put = { method: "PUT", body: IMAGE, headers: { "content-type": MANIFEST } };
  assert.equal((await rawRequest(`${registry.url}/v2/a/b/manifests/t`, put)).status, 201);
}

async function beginUpload(): Promise<string> {
  const begun = await rawRequest(`${registry.url}/v2/a/b/blobs/uploads/`, { method: "POST" });
  return String(begun.headers.location);
}

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: Buffer;
}

/** Sends bytes, and reads until the other side closes. Null when it closed without a word. `end`: says that this is all. */
function send(address: string, bytes: Uint8Array, end = false): Promise<Answer | null> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host, port: Number(port), allowHalfOpen: true }, () =>
      end ? socket.end(bytes) : socket.write(bytes),
    );
    const timer = setTimeout(
      () => socket.destroy(new Error(`no answer to ${Buffer.from(bytes).toString("latin1")}`)),
      30_000,
    );
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
    socket.once("end", () => socket.destroy());
    socket.once("close", () => {
      clearTimeout(timer);
      const all = Buffer.concat(chunks);
      const border = all.indexOf("\r\n\r\n");
      const head = all.subarray(0, border).toString("latin1");
      resolve(border < 0 ? null : { status: Number(head.split(" ")[1]), head, body: all.subarray(border + 4) });
    });
  });
}

/** What every answer must be. */
function check({ status, head, body }: Answer, isHead: boolean): void {
  assert.ok(status >= 200 && status < 500, `${head}\n${body.toString()}`);
  // As many lines as there are headers: nothing of the request ended one.
  for (const line of head.split("\r\n").slice(1)) assert.match(line, /^[A-Za-z-]+: [\t\x20-\x7e]*$/);
  if (status < 400 || isHead) return;
  const { errors } = JSON.parse(body.toString()) as { errors: { code: unknown; message: unknown }[] };
  assert.ok(errors.length > 0);
  for (const { code, message } of errors) {
    assert.match(String(code), /^[A-Z_]+$/);
    assert.ok(typeof message === "string" && message.length < 4000);
  }
}

const DIGEST = digestOf(LAYER);
const METHOD = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS");
const PATH = nearly(
  [
    "/v2/",
    "a/b",
    "/",
    "blobs/",
    "uploads/",
    "manifests/",
    "tags/list",
    "referrers/",
    "_catalog",
    "t",
    "..",
    "%2f",
    "%00",
    "A",
  ]
    .concat([DIGEST, "sha256:", "sha512:", "blake3:", digestOf(IMAGE), "0".repeat(64), "//", ".", "-", "_", "?", "&"])
    .concat([
      "n=",
      "last=",
      "digest=",
      "mount=",
      "from=",
      "tag=",
      "artifactType=",
      "ns=",
      "digest-algorithm=",
      "9",
      "-1",
      "%0d%0a",
    ]),
  9,
);
/** What is replaced by the place of an upload that is open. */
const UPLOAD = "UPLOAD";
/** Requests that lead somewhere, most of them. */
const GOOD: readonly (readonly [methods: string, path: string])[] = [
  ["GET HEAD DELETE", `/v2/a/b/blobs/${DIGEST}`],
  ["POST", "/v2/a/b/blobs/uploads/"],
  ["POST", `/v2/a/b/blobs/uploads/?digest=${DIGEST}`],
  ["POST", `/v2/c/blobs/uploads/?mount=${DIGEST}`],
  ["GET PATCH PUT DELETE", UPLOAD],
  ["PUT", `${UPLOAD}?digest=${DIGEST}`],
  ["GET HEAD PUT DELETE", "/v2/a/b/manifests/t"],
  ["GET HEAD PUT DELETE", `/v2/a/b/manifests/${digestOf(IMAGE)}`],
  ["GET", "/v2/a/b/tags/list"],
  ["GET", `/v2/a/b/referrers/${DIGEST}`],
  ["GET", "/v2/_catalog"],
];
const QUERY = nearly(
  [
    "?",
    "&",
    "=",
    "n",
    "last",
    "digest",
    "tag",
    "from",
    "mount",
    "artifactType",
    "ns",
    "a/b",
    "1",
    "-",
    "%00",
    "%ff",
  ].concat("9".repeat(20)),
  6,
);
const REQUEST = fc
  .oneof(
    fc.tuple(METHOD, PATH),
    fc
      .constantFrom(...GOOD)
      .chain(([methods, path]) => fc.tuple(fc.constantFrom(...methods.split(" ")), fc.constant(path))),
    fc
      .tuple(fc.constantFrom(...GOOD), QUERY)
      .chain(([[methods, path], query]) =>
        fc.tuple(
          fc.constantFrom(...methods.split(" ")),
          fc.constant(`${path}${path.includes("?") ? "&" : "?"}${query}`),
        ),
      ),
  )
  .map(
    ([method, path]) =>
      [method, path.replace(/[\0-\x20\x7f-\uffff]/g, (c) => encodeURIComponent(c.toWellFormed()))] as const,
  );
const VALUE = nearly(
  [
    "bytes",
    "=",
    "-",
    "0",
    "5",
    "9".repeat(16),
    "/",
    "*",
    ",",
    '"',
    DIGEST,
    "Bearer ",
    "Basic ",
    "W/",
    MANIFEST,
    INDEX,
    ";",
    "q=1",
    "gzip",
  ],
  6,
).map((text) => text.replace(/[\0-\x1f\x7f]|[^\x00-\xff]/g, " "));
const HEADER = fc.tuple(
  fc.constantFrom(
    "range",
    "content-range",
    "if-match",
    "if-none-match",
    "if-range",
    "accept",
    "content-type",
    "authorization",
    "host",
    "oci-namespace",
    "x-forwarded-for",
  ),
  VALUE,
);
const BODY = fc.oneof(
  fc.constantFrom("", CONFIG, LAYER, IMAGE).map((text) => Buffer.from(text)),
  damaged(Buffer.from(IMAGE)),
);

function requestBytes(
  method: string,
  target: string,
  headers: readonly (readonly [string, string])[],
  body: Buffer,
): Buffer {
  const lines = [`${method} ${target} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  if (!headers.some(([name]) => name === "host")) lines.push("host: x");
  lines.push(`content-length: ${body.length}`, "connection: close", "", "");
  return Buffer.concat([Buffer.from(lines.join("\r\n"), "latin1"), body]);
}

test("fuzz registry: well-formed requests for anything are answered, never with 5xx", async () => {
  let upload = await beginUpload();
  await fc.assert(
    fc.asyncProperty(REQUEST, fc.array(HEADER, { maxLength: 3 }), BODY, async ([method, path], headers, body) => {
      const target = `/${path.replace(UPLOAD, upload)}`.replace(/^\/+/, "/");
      const answer = await send(registry.address, requestBytes(method, target, headers, body));
      assert.ok(answer !== null, "no answer");
      check(answer, method === "HEAD");
      if (path.includes(UPLOAD) && ![202, 416].includes(answer.status)) upload = await beginUpload();
      if (method === "DELETE" && answer.status === 202) await pushAll();
    }),
    runs(2),
  );
});

test("fuzz registry: the same as a client's library sends it, on connections that stay open", async () => {
  await fc.assert(
    fc.asyncProperty(REQUEST, BODY, async ([method, path], body) => {
      const place = `/${path.replace(UPLOAD, await beginUpload())}`.replace(/^\/+/, "/");
      const target = new URL(registry.url + place);
      const withBody = !["GET", "HEAD"].includes(method);
      // What is longer is refused before it is looked at, which the raw requests try.
      if (target.href.length > 16_000) return;
      const answer = await fetch(target, {
        method,
        redirect: "manual",
        ...(withBody ? { body: new Uint8Array(body) } : {}),
      });
      const head = [...answer.headers].map(([name, value]) => `\r\n${name}: ${value}`).join("");
      check({ status: answer.status, head, body: Buffer.from(await answer.arrayBuffer()) }, method === "HEAD");
      if (method === "DELETE" && answer.status === 202) await pushAll();
    }),
    runs(),
  );
});

test("fuzz registry: what is no HTTP is refused, and others are served as before", async () => {
  const good = requestBytes("PUT", "/v2/a/b/manifests/fuzzed", [["content-type", MANIFEST]], Buffer.from(IMAGE));
  const lines = nearly(
    [
      "GET /v2/ HTTP/1.1",
      "\r\n",
      "host: x",
      "content-length: 5",
      "content-length: 6",
      "transfer-encoding: chunked",
      "5\r\nhello\r\n",
      "0\r\n\r\n",
      ":",
      " ",
      "\n",
      "HTTP/9.9",
      "expect: 100-continue",
      "upgrade: h2c",
      "connection: upgrade",
    ],
    14,
  ).map((text) => Buffer.from(`${text}\r\n\r\n`, "latin1"));
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged(good), lines), async (bytes) => {
      // Whoever announces more than comes is cut off without a word.
      const answer = await send(registry.address, bytes, true);
      if (answer !== null) assert.ok(answer.status < 500, answer.head);
      assert.equal((await rawRequest(`${registry.url}/v2/`)).status, 200);
    }),
    runs(0.5),
  );
});

test("fuzz registry: a manifest is taken as it is, or nothing of it is there", async () => {
  const wrong = fc.oneof(
    fc.constantFrom<unknown>(null, true, -1, 2, 2 ** 53, "", "x", [], {}, MANIFEST, INDEX, DIGEST),
    STRANGE,
  );
  /** Mostly one of these, now and then something else. */
  const mostly = (...good: readonly unknown[]): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 24, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: wrong });
  const descriptor = fc
    .constantFrom<readonly [string, number]>(
      [DIGEST, LAYER.length],
      [digestOf(CONFIG), 2],
      [digestOf(IMAGE), IMAGE.length],
    )
    .chain(([digest, size]) =>
      fc.record(
        {
          mediaType: mostly("application/octet-stream", MANIFEST),
          digest: mostly(digest),
          size: mostly(size),
          data: mostly(undefined),
          urls: mostly(["https://example.test/"]),
          platform: mostly({ os: "linux", architecture: "amd64" }),
          annotations: mostly({ a: "b" }),
        },
        { requiredKeys: ["mediaType", "digest", "size"] },
      ),
    );
  const several = fc.oneof(
    { weight: 24, arbitrary: fc.array(descriptor, { maxLength: 3 }) },
    { weight: 1, arbitrary: wrong },
  );
  const common = {
    schemaVersion: mostly(2),
    artifactType: mostly("application/x"),
    subject: descriptor,
    annotations: fc.dictionary(fc.string({ maxLength: 4 }), mostly("v"), { maxKeys: 3 }),
  };
  const image = fc.record(
    { ...common, mediaType: mostly(MANIFEST), config: descriptor, layers: several },
    { requiredKeys: ["schemaVersion", "config", "layers"] },
  );
  const index = fc.record(
    { ...common, mediaType: mostly(INDEX), manifests: several },
    { requiredKeys: ["schemaVersion", "manifests"] },
  );
  const document = fc.oneof(image, index);
  const body = fc.oneof(
    document.map((one) => Buffer.from(JSON.stringify(one))),
    damaged(Buffer.from(IMAGE)),
  );
  await fc.assert(
    fc.asyncProperty(body, fc.nat(9), fc.boolean(), async (bytes, fits, byTag) => {
      const type = bytes.includes('"manifests"') === fits > 0 ? INDEX : MANIFEST;
      const digest = digestOf(bytes);
      const url = `${registry.url}/v2/a/b/manifests`;
      const known = (await rawRequest(`${url}/${digest}`)).status === 200;
      const put = { method: "PUT", body: bytes, headers: { "content-type": type } };
      const { status, text } = await rawRequest(`${url}/${byTag ? "fuzz" : digest}`, put);
      assert.ok([201, 400, 404, 415].includes(status), `${status} ${text}`);
      const got = await rawRequest(`${url}/${digest}`);
      assert.equal(got.status, status === 201 || known ? 200 : 404);
      if (got.status === 200) assert.ok(Buffer.from(got.bytes).equals(bytes));
    }),
    runs(),
  );
});

test("fuzz registry: tokens, credentials and requests for tokens", async () => {
  const authorization = nearly(
    ["Bearer", "Basic", " ", ".", "=", "e30", "YW5uOnB3", "OnB3", "eyJhbGciOiJub25lIn0", ","],
    8,
  ).map((text) => text.replace(/[\0-\x1f\x7f]|[^\x00-\xff]/g, " "));
  const changed = fc
    .constant(null)
    .chain(() =>
      damaged(Buffer.from(token)).map((bytes) => `Bearer ${bytes.toString("latin1").replace(/[^\x21-\x7e]/g, "_")}`),
    );
  const form = nearly(
    [
      "grant_type=",
      "password",
      "refresh_token",
      "&",
      "username=ann",
      "password=pw",
      "=",
      "scope=",
      "repository:a/b:pull",
      ":",
      ",",
      "service=teu-registry",
      "access_type=offline",
      "%",
      "%ff",
      "%00",
    ],
    10,
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(authorization, changed), form, async (value, text) => {
      const headers = [["authorization", value]] as const;
      const pulled = await send(guarded.address, requestBytes("GET", "/v2/a/b/manifests/t", headers, Buffer.alloc(0)));
      assert.ok(pulled !== null);
      check(pulled, false);
      assert.notEqual(pulled.status, 200);
      const pushed = await send(
        guarded.address,
        requestBytes("POST", "/v2/a/b/blobs/uploads/", headers, Buffer.alloc(0)),
      );
      assert.ok(pushed !== null);
      check(pushed, false);
      const query = text.replace(/[\0-\x20\x7f-\uffff]/g, "_");
      for (const bytes of [
        requestBytes("GET", `/token?${query}`, headers, Buffer.alloc(0)),
        requestBytes("POST", "/token", [["content-type", "application/x-www-form-urlencoded"]], Buffer.from(text)),
      ]) {
        const answer = await send(guarded.address, bytes);
        assert.ok(answer !== null);
        check(answer, false);
      }
    }),
    runs(0.5),
  );
});
