// The distribution API as a client sees it, endpoint by endpoint. What the conformance program covers is only touched here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "@teu/image/digest";
import { MEDIA_TYPES } from "@teu/specs/image";
import { rawRequest, type RawResponse } from "@teu/testkit/raw-http";

import { Registry, type RegistryOptions } from "./registry.ts";

const CONFIG = Buffer.from("{}");
const OCTETS = { "content-type": "application/octet-stream" };

async function pushBlob(base: string, content: Uint8Array | string): Promise<string> {
  const digest = digestOf(content);
  const answer = await rawRequest(`${base}/blobs/uploads/?digest=${digest}`, {
    method: "POST",
    headers: OCTETS,
    body: content,
  });
  assert.equal(answer.status, 201);
  return digest;
}

function manifest(extra: Record<string, unknown> = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    layers: [],
    ...extra,
    config: { mediaType: MEDIA_TYPES.config, digest: digestOf(CONFIG), size: CONFIG.length },
  });
}

function putManifest(
  base: string,
  reference: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<RawResponse> {
  return rawRequest(`${base}/manifests/${reference}`, {
    method: "PUT",
    headers: { "content-type": MEDIA_TYPES.manifest, ...headers },
    body,
  });
}

function code(answer: RawResponse): unknown {
  return answer.json<{ errors: { code: string }[] }>().errors[0]?.code;
}

function check(
  title: string,
  body: (base: string, registry: Registry) => Promise<void>,
  options: RegistryOptions = {},
): void {
  test(`registry: ${title}`, async () => {
    await using registry = await Registry.listen(options);
    await body(`${registry.url}/v2/team/app`, registry);
  });
}

check("the ping answers with the version header", async (_base, { url }) => {
  const answer = await rawRequest(`${url}/v2/`);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["docker-distribution-api-version"], "registry/2.0");
});

check("refusals are JSON with codes, and HEAD has none of it", async (base, { url }) => {
  const cases: readonly [string, string, number, string][] = [
    ["GET", `${base}/manifests/none`, 404, "MANIFEST_UNKNOWN"],
    ["GET", `${base}/manifests/sha256:short`, 400, "DIGEST_INVALID"],
    ["GET", `${base}/manifests/${"x".repeat(129)}`, 400, "TAG_INVALID"],
    ["GET", `${base}/blobs/${digestOf("none")}`, 404, "BLOB_UNKNOWN"],
    ["GET", `${base}/tags/list`, 404, "NAME_UNKNOWN"],
    ["GET", `${url}/v2/Team/manifests/x`, 400, "NAME_INVALID"],
    ["GET", `${url}/v2/../manifests/x`, 400, "NAME_INVALID"],
    ["GET", `${url}/v2/a//b/manifests/x`, 400, "NAME_INVALID"],
    ["GET", `${url}/v2/a%2fb/manifests/x`, 400, "NAME_INVALID"],
    ["GET", `${url}/v2/${"a/".repeat(200)}b/manifests/x`, 400, "NAME_INVALID"],
    ["GET", `${url}/v2/_catalog/manifests/x`, 400, "NAME_INVALID"],
    ["GET", `${url}/elsewhere`, 404, "UNSUPPORTED"],
    ["PATCH", `${base}/manifests/x`, 405, "UNSUPPORTED"],
    ["PUT", `${base}/blobs/${digestOf("x")}`, 405, "UNSUPPORTED"],
    ["DELETE", `${base}/manifests/none`, 404, "MANIFEST_UNKNOWN"],
    ["DELETE", `${base}/blobs/${digestOf("none")}`, 404, "BLOB_UNKNOWN"],
    ["PATCH", `${base}/blobs/uploads/nonsense`, 404, "BLOB_UPLOAD_UNKNOWN"],
    ["GET", `${base}/referrers/nonsense`, 400, "DIGEST_INVALID"],
  ];
  for (const [method, target, status, want] of cases) {
    const answer = await rawRequest(target, { method });
    assert.deepEqual([answer.status, code(answer)], [status, want], `${method} ${target}`);
  }
  const head = await rawRequest(`${base}/manifests/none`, { method: "HEAD" });
  assert.deepEqual([head.status, head.text], [404, ""]);
});

check("names that look like routes are names", async (_base, { url }) => {
  for (const name of ["blobs", "a/manifests/b", "a/blobs/uploads", "tags/list", "uploads"]) {
    const base = `${url}/v2/${name}`;
    await pushBlob(base, CONFIG);
    assert.equal((await putManifest(base, "t", manifest())).status, 201, name);
    assert.deepEqual((await rawRequest(`${base}/tags/list`)).json(), { name, tags: ["t"] });
  }
});

check("a manifest comes back byte for byte, with its type and without parameters", async (base) => {
  await pushBlob(base, CONFIG);
  const body = ` ${manifest()}\n`;
  const put = await putManifest(base, "v1", body, {
    "content-type": `${MEDIA_TYPES.manifest.toUpperCase()}; charset=utf-8`,
  });
  assert.equal(put.status, 201);
  const digest = digestOf(body);
  assert.equal(put.headers["docker-content-digest"], digest);
  assert.equal(put.headers.location, `/v2/team/app/manifests/${digest}`);
  for (const reference of ["v1", digest, encodeURIComponent(digest)]) {
    const got = await rawRequest(`${base}/manifests/${reference}`, { headers: { accept: "application/json" } });
    assert.equal(got.text, body);
    assert.equal(got.headers["content-type"], MEDIA_TYPES.manifest);
    const etag = String(got.headers.etag);
    assert.equal(
      (await rawRequest(`${base}/manifests/${reference}`, { headers: { "if-none-match": `"x", ${etag}` } })).status,
      304,
    );
  }
});

check("Docker's types are stored as they are", async (base) => {
  await pushBlob(base, CONFIG);
  const body = manifest({ mediaType: MEDIA_TYPES.dockerManifest });
  assert.equal((await putManifest(base, "d", body, { "content-type": MEDIA_TYPES.dockerManifest })).status, 201);
  const list = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.dockerManifestList,
    manifests: [
      {
        mediaType: MEDIA_TYPES.dockerManifest,
        digest: digestOf(body),
        size: body.length,
        platform: { os: "linux", architecture: "amd64" },
      },
    ],
  });
  assert.equal((await putManifest(base, "l", list, { "content-type": MEDIA_TYPES.dockerManifestList })).status, 201);
  assert.equal((await rawRequest(`${base}/manifests/l`)).headers["content-type"], MEDIA_TYPES.dockerManifestList);
});

check("manifests with two readings, or of another type, are refused (scenario 11)", async (base) => {
  await pushBlob(base, CONFIG);
  const cases: readonly [string, string, number][] = [
    ["both layers and manifests", manifest({ manifests: [] }), 400],
    ["another mediaType inside", manifest({ mediaType: MEDIA_TYPES.dockerManifest }), 400],
    ["duplicate key", manifest().replace('"layers":[]', '"layers":[],"layers":[]'), 400],
    ["case variant", manifest({ Layers: [] }), 400],
    ["byte order mark", `\ufeff${manifest()}`, 400],
    ["not JSON", "{", 400],
    ["null", "null", 400],
    [
      "bad digest inside",
      manifest({ layers: [{ mediaType: "a/b", digest: "sha256:../../etc/passwd", size: 1 }] }),
      400,
    ],
    ["negative size", manifest({ layers: [{ mediaType: "a/b", digest: digestOf("x"), size: -1 }] }), 400],
    [
      "wrong size of a blob that is here",
      manifest({ layers: [{ mediaType: "a/b", digest: digestOf(CONFIG), size: 3 }] }),
      400,
    ],
    [
      "embedded data of something else",
      manifest({ layers: [{ mediaType: "a/b", digest: digestOf(CONFIG), size: 2, data: "AAAA" }] }),
      400,
    ],
    ["deep nesting", manifest({ x: JSON.parse("[".repeat(100) + "]".repeat(100)) }), 400],
  ];
  for (const [name, body, status] of cases) {
    const answer = await putManifest(base, "t", body);
    assert.deepEqual([answer.status, code(answer)], [status, "MANIFEST_INVALID"], name);
  }
  const schema1 = await putManifest(base, "t", manifest(), {
    "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws",
  });
  assert.deepEqual([schema1.status, code(schema1)], [415, "MANIFEST_INVALID"]);
  const mismatch = await putManifest(base, digestOf("other"), manifest());
  assert.deepEqual([mismatch.status, code(mismatch)], [400, "DIGEST_INVALID"]);
  assert.deepEqual((await rawRequest(`${base}/tags/list`)).json(), { name: "team/app", tags: [] });
});

check("every missing blob is named", async (base) => {
  const layers = ["x", "y"].map((text) => ({ mediaType: "a/b", digest: digestOf(text), size: 1 }));
  const answer = await putManifest(base, "t", manifest({ layers }));
  assert.equal(answer.status, 404);
  const { errors } = answer.json<{ errors: { code: string; detail: { digest: string } }[] }>();
  assert.deepEqual(
    errors.map(({ detail }) => detail.digest),
    [digestOf(CONFIG), digestOf("x"), digestOf("y")],
  );
  assert.ok(errors.every((entry) => entry.code === "MANIFEST_BLOB_UNKNOWN"));
});

check("manifests of 4 MiB are taken, larger ones refused with 413 (scenario 15)", async (base) => {
  await pushBlob(base, CONFIG);
  const padded = (size: number): string =>
    manifest({ annotations: { pad: "x".repeat(size - manifest({ annotations: { pad: "" } }).length) } });
  assert.equal((await putManifest(base, "big", padded(4 << 20))).status, 201);
  assert.equal((await rawRequest(`${base}/manifests/big`)).bytes.length, 4 << 20);
  assert.equal((await putManifest(base, "big", padded((4 << 20) + 1))).status, 413);
});

check("conditions make tag updates safe", async (base) => {
  await pushBlob(base, CONFIG);
  const [one, two] = [manifest({ annotations: { n: "1" } }), manifest({ annotations: { n: "2" } })];
  assert.equal((await putManifest(base, "t", one, { "if-match": "*" })).status, 412);
  assert.equal((await putManifest(base, "t", one, { "if-none-match": "*" })).status, 201);
  assert.equal((await putManifest(base, "t", two, { "if-none-match": "*" })).status, 412);
  assert.equal((await putManifest(base, "t", two, { "if-match": `"${digestOf(two)}"` })).status, 412);
  assert.equal((await putManifest(base, "t", two, { "if-match": `"${digestOf(one)}"` })).status, 201);
  assert.equal((await putManifest(base, "t", two, { "if-match": "nonsense" })).status, 400);
});

check("several tags in one push by digest; bad ones refuse the whole", async (base) => {
  await pushBlob(base, CONFIG);
  const digest = digestOf(manifest());
  const many = Array.from({ length: 20 }, (_, i) => `t${i}`);
  const good = await putManifest(base, `${digest}?${many.map((tag) => `tag=${tag}`).join("&")}`, manifest());
  assert.equal(good.status, 201);
  assert.equal(good.headers["oci-tag"], many.join(", "));
  const bad = await putManifest(base, `${digest}?tag=fine&tag=not%0d%0afine`, manifest());
  assert.deepEqual([bad.status, code(bad)], [400, "TAG_INVALID"]);
  assert.equal((await rawRequest(`${base}/manifests/fine`)).status, 404);
  const tooMany = await putManifest(
    base,
    `${digest}?${Array.from({ length: 101 }, (_, i) => `tag=x${i}`).join("&")}`,
    manifest(),
  );
  assert.equal(tooMany.status, 414);
});

check("tags come in pages; senseless numbers are refused, huge ones capped (scenario 14)", async (base, { url }) => {
  await pushBlob(base, CONFIG);
  const tags = ["a", "b", "c", "d", "e"];
  await putManifest(base, `${digestOf(manifest())}?${tags.map((tag) => `tag=${tag}`).join("&")}`, manifest());
  const first = await rawRequest(`${base}/tags/list?n=2`);
  assert.deepEqual(first.json<{ tags: string[] }>().tags, ["a", "b"]);
  assert.equal(first.headers.link, '</v2/team/app/tags/list?last=b&n=2>; rel="next"');
  const rest = await rawRequest(`${base}/tags/list?last=b`);
  assert.deepEqual(rest.json<{ tags: string[] }>().tags, ["c", "d", "e"]);
  assert.equal(rest.headers.link, undefined);
  const none = await rawRequest(`${base}/tags/list?n=0`);
  assert.deepEqual([none.json<{ tags: string[] }>().tags, none.headers.link], [[], undefined]);
  for (const n of ["-1", "abc", "1e3", "", "0x10", "9".repeat(20)]) {
    for (const list of [`${base}/tags/list`, `${url}/v2/_catalog`]) {
      const answer = await rawRequest(`${list}?n=${n}`);
      assert.deepEqual([answer.status, code(answer)], [400, "PAGINATION_NUMBER_INVALID"], n);
    }
  }
  for (const n of ["2147483648", "999999999999999"])
    assert.equal((await rawRequest(`${url}/v2/_catalog?n=${n}`)).status, 200);
  assert.deepEqual((await rawRequest(`${url}/v2/_catalog?n=1`)).json(), { repositories: ["team/app"] });
});

check("blobs are served in whole, in parts and not at all when unchanged", async (base) => {
  const digest = await pushBlob(base, "0123456789");
  const target = `${base}/blobs/${digest}`;
  const cases: readonly [Record<string, string>, number, string, string | undefined][] = [
    [{}, 200, "0123456789", undefined],
    [{ range: "bytes=2-4" }, 206, "234", "bytes 2-4/10"],
    [{ range: "bytes=-3" }, 206, "789", "bytes 7-9/10"],
    [{ range: "bytes=8-100" }, 206, "89", "bytes 8-9/10"],
    [{ range: "bytes=2-4", "if-range": `"${digest}"` }, 206, "234", "bytes 2-4/10"],
    [{ range: "bytes=2-4", "if-range": '"other"' }, 200, "0123456789", undefined],
    [{ range: "bytes=0-1,4-5" }, 200, "0123456789", undefined],
    [{ "if-none-match": `"${digest}"` }, 304, "", undefined],
  ];
  for (const [headers, status, text, range] of cases) {
    const answer = await rawRequest(target, { headers });
    assert.deepEqual(
      [answer.status, answer.text, answer.headers["content-range"]],
      [status, text, range],
      JSON.stringify(headers),
    );
  }
  const beyond = await rawRequest(target, { headers: { range: "bytes=10-" } });
  assert.deepEqual([beyond.status, beyond.headers["content-range"]], [416, "bytes */10"]);
  const head = await rawRequest(target, { method: "HEAD" });
  assert.deepEqual(
    [head.status, head.headers["content-length"], head.headers["docker-content-digest"]],
    [200, "10", digest],
  );
});

check("an upload in chunks: order, sizes, status, end", async (base) => {
  const start = await rawRequest(`${base}/blobs/uploads/`, { method: "POST" });
  const location = new URL(start.headers.location ?? "", base).href;
  const patch = (range: string | undefined, body: string): Promise<RawResponse> =>
    rawRequest(location, {
      method: "PATCH",
      headers: range === undefined ? OCTETS : { ...OCTETS, "content-range": range },
      body,
    });
  assert.deepEqual([start.status, start.headers.range], [202, "0-0"]);
  assert.equal((await patch("0-2", "abc")).headers.range, "0-2");
  const gap = await patch("5-7", "xyz");
  assert.deepEqual([gap.status, gap.headers.range, code(gap)], [416, "0-2", "RANGE_INVALID"]);
  assert.equal((await patch("0-2", "abc")).status, 416);
  assert.deepEqual([(await patch("3-9", "de")).status, (await patch("nonsense", "de")).status], [400, 400]);
  assert.equal((await patch(undefined, "de")).headers.range, "0-4");
  const status = await rawRequest(location);
  assert.deepEqual([status.status, status.headers.range, status.text], [204, "0-4", ""]);
  const end = await rawRequest(`${location}?digest=${digestOf("abcdef")}`, {
    method: "PUT",
    headers: { ...OCTETS, "content-range": "5-5" },
    body: "f",
  });
  assert.deepEqual([end.status, end.headers["docker-content-digest"]], [201, digestOf("abcdef")]);
  assert.equal((await rawRequest(location)).status, 404);
});

check("a chunk without a length that is not what its range says is taken back", async (base) => {
  const start = await rawRequest(`${base}/blobs/uploads/`, { method: "POST" });
  const location = new URL(start.headers.location ?? "", base).href;
  const answer = await rawRequest(location, {
    method: "PATCH",
    headers: { "transfer-encoding": "chunked", "content-range": "0-9" },
    body: "short",
  });
  assert.deepEqual([answer.status, code(answer)], [400, "SIZE_INVALID"]);
  assert.equal((await rawRequest(location)).headers.range, "0-0");
  const end = await rawRequest(`${location}?digest=${digestOf("fine")}`, { method: "PUT", body: "fine" });
  assert.equal(end.status, 201);
});

check("an upload id is worth nothing in another repository (scenario 15)", async (base, { url }) => {
  const start = await rawRequest(`${base}/blobs/uploads/`, { method: "POST" });
  const id = String(start.headers["docker-upload-uuid"]);
  for (const method of ["GET", "PATCH", "PUT", "DELETE"]) {
    const answer = await rawRequest(`${url}/v2/other/blobs/uploads/${id}?digest=${digestOf("x")}`, { method });
    assert.equal(answer.status, 404, method);
  }
  assert.equal((await rawRequest(`${base}/blobs/uploads/${id}`, { method: "DELETE" })).status, 204);
  assert.equal((await rawRequest(`${base}/blobs/uploads/${id}`)).status, 404);
});

check(
  "a blob belongs to a repository: mount, delete and read stay inside it (scenarios 17, 22)",
  async (base, { url }) => {
    const digest = await pushBlob(base, "secret layer");
    const other = `${url}/v2/other`;
    assert.equal((await rawRequest(`${other}/blobs/${digest}`)).status, 404);
    assert.equal(
      (await rawRequest(`${other}/blobs/uploads/?mount=${digest}&from=nowhere`, { method: "POST" })).status,
      202,
    );
    assert.equal(
      (await rawRequest(`${other}/blobs/uploads/?mount=${digest}&from=../team/app`, { method: "POST" })).status,
      202,
    );
    assert.equal(
      (await rawRequest(`${other}/blobs/uploads/?mount=${digest}&from=team/app`, { method: "POST" })).status,
      201,
    );
    assert.equal((await rawRequest(`${base}/blobs/${digest}`, { method: "DELETE" })).status, 202);
    assert.equal((await rawRequest(`${base}/blobs/${digest}`)).status, 404);
    assert.equal((await rawRequest(`${base}/blobs/${digest}`, { method: "HEAD" })).status, 404);
    assert.equal((await rawRequest(`${other}/blobs/${digest}`)).text, "secret layer");
    assert.equal(
      (await putManifest(base, "t", manifest({ layers: [{ mediaType: "a/b", digest, size: 12 }] }))).status,
      404,
    );
  },
);

check("referrers: filter, pages, and gone with their manifest", async (base) => {
  await pushBlob(base, CONFIG);
  const subject = { mediaType: MEDIA_TYPES.manifest, digest: digestOf("missing subject"), size: 5 };
  const digests: string[] = [];
  for (const n of [1, 2, 3]) {
    const body = manifest({ subject, artifactType: n === 3 ? "t/other" : "t/sbom", annotations: { n: String(n) } });
    const put = await putManifest(base, digestOf(body), body);
    assert.equal(put.headers["oci-subject"], subject.digest);
    digests.push(digestOf(body));
  }
  const list = `${base}/referrers/${subject.digest}`;
  const all = await rawRequest(list);
  assert.equal(all.headers["content-type"], MEDIA_TYPES.index);
  assert.deepEqual(
    all.json<{ manifests: { digest: string }[] }>().manifests.map(({ digest }) => digest),
    [...digests].sort(),
  );
  const filtered = await rawRequest(`${list}?artifactType=t%2Fsbom`);
  assert.equal(filtered.headers["oci-filters-applied"], "artifactType");
  assert.equal(filtered.json<{ manifests: unknown[] }>().manifests.length, 2);
  const page = await rawRequest(`${list}?n=2`);
  const next = /^<([^>]+)>; rel="next"$/.exec(String(page.headers.link))?.[1] ?? "";
  assert.equal((await rawRequest(new URL(next, base).href)).json<{ manifests: unknown[] }>().manifests.length, 1);
  await rawRequest(`${base}/manifests/${digests[0]}`, { method: "DELETE" });
  assert.equal((await rawRequest(list)).json<{ manifests: unknown[] }>().manifests.length, 2);
});

check(
  "referrers: a page ends before the document outgrows clients",
  async (base) => {
    await pushBlob(base, CONFIG);
    const subject = { mediaType: MEDIA_TYPES.manifest, digest: digestOf("s"), size: 1 };
    for (const n of [1, 2, 3])
      await putManifest(base, `t${n}`, manifest({ subject, annotations: { pad: String(n).repeat(600) } }));
    let target: string | undefined = `${base}/referrers/${subject.digest}`;
    let pages = 0;
    let entries = 0;
    while (target !== undefined) {
      const page: RawResponse = await rawRequest(target);
      entries += page.json<{ manifests: unknown[] }>().manifests.length;
      pages++;
      const next: string | undefined = /^<([^>]+)>/.exec(String(page.headers.link))?.[1];
      target = next === undefined ? undefined : new URL(next, base).href;
    }
    assert.deepEqual([pages, entries], [3, 3]);
  },
  { limits: { referrersBytes: 1000 } },
);

check(
  "deletes that are disabled are disabled for tags, manifests and blobs (scenario 18)",
  async (base) => {
    const blob = await pushBlob(base, CONFIG);
    await putManifest(base, "t", manifest());
    for (const target of ["manifests/t", `manifests/${digestOf(manifest())}`, `blobs/${blob}`]) {
      const answer = await rawRequest(`${base}/${target}`, { method: "DELETE" });
      assert.deepEqual([answer.status, code(answer)], [405, "UNSUPPORTED"], target);
    }
    assert.equal((await rawRequest(`${base}/manifests/t`)).status, 200);
  },
  { deletes: false },
);

check(
  "a read-only registry refuses everything that changes something",
  async (base) => {
    for (const [method, target] of [
      ["POST", "blobs/uploads/"],
      ["PUT", "manifests/t"],
      ["DELETE", "manifests/t"],
    ] as const) {
      assert.equal((await rawRequest(`${base}/${target}`, { method })).status, 405, target);
    }
  },
  { readOnly: true },
);

check("a mirror's client is told which upstream was meant, if the name is one", async (base) => {
  assert.equal((await rawRequest(`${base}/manifests/x?ns=docker.io`)).headers["oci-namespace"], "docker.io");
  assert.equal((await rawRequest(`${base}/manifests/x?ns=a%0d%0ab`)).headers["oci-namespace"], undefined);
});

check(
  "uploads are bounded",
  async (base) => {
    for (let i = 0; i < 3; i++)
      assert.equal((await rawRequest(`${base}/blobs/uploads/`, { method: "POST" })).status, 202);
    const refused = await rawRequest(`${base}/blobs/uploads/`, { method: "POST" });
    assert.deepEqual([refused.status, code(refused), refused.headers["retry-after"]], [429, "TOOMANYREQUESTS", "60"]);
  },
  { limits: { uploads: 3 } },
);
