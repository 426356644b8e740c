// Rights per repository, immutable tags and switches, from outside, named after the attacks that they stop.

import assert from "node:assert/strict";
import { test } from "node:test";
import { writeFile } from "node:fs/promises";
import { createScope } from "@teu/base/scope";
import { digestOf } from "@teu/image/digest";
import { rawRequest, type RawResponse } from "@teu/testkit/raw-http";
import { tempRoot, type TempRoot } from "@teu/testkit/temp-root";
import { hashSync } from "bcryptjs";

import { Registry, type RegistryOptions } from "./registry.ts";

const TYPE = "application/vnd.oci.image.index.v1+json";
const HASH = hashSync("pw", 4);

function manifest(n: number): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: TYPE, manifests: [], annotations: { n: String(n) } });
}

class Client {
  readonly #url: string;
  readonly #user: string | null;

  constructor(registry: Registry, user: string | null) {
    this.#url = registry.url;
    this.#user = user;
  }

  send(method: string, path: string, body?: string, type: string = TYPE): Promise<RawResponse> {
    const headers: Record<string, string> = { "content-type": type };
    if (this.#user !== null) headers["authorization"] = `Basic ${Buffer.from(`${this.#user}:pw`).toString("base64")}`;
    return rawRequest(this.#url + path, { method, headers, ...(body === undefined ? {} : { body }) });
  }

  async status(method: string, path: string, body?: string): Promise<number> {
    return (await this.send(method, path, body)).status;
  }
}

async function start(root: TempRoot, options: RegistryOptions): Promise<Registry> {
  await writeFile(root.join("users"), ["ann", "bob", "eve", "root"].map((name) => `${name}:${HASH}\n`).join(""));
  return Registry.listen({ htpasswd: root.join("users"), ...options });
}

const RULES: RegistryOptions = {
  groups: { devs: ["ann"], makers: ["bob"] },
  rules: [
    { repositories: ["**"], users: { root: ["all"] } },
    { repositories: ["public/**"], anonymous: ["read", "catalog"], users: { root: ["all"] } },
    {
      repositories: ["team/**"],
      groups: { devs: ["read", "create", "update", "delete", "catalog"], makers: ["read", "create"] },
      users: { root: ["all"] },
    },
  ],
};

test("scenario 19, zot CVE-2026-31801: who may only create moves no tag, neither by name nor with a push by digest", async () => {
  await using root = await tempRoot();
  await using registry = await start(root, RULES);
  const [ann, bob] = [new Client(registry, "ann"), new Client(registry, "bob")];
  assert.equal(await bob.status("PUT", "/v2/team/a/manifests/latest", manifest(1)), 201);
  assert.equal(await bob.status("PUT", "/v2/team/a/manifests/latest", manifest(1)), 201, "the same again");
  const moved = await bob.send("PUT", "/v2/team/a/manifests/latest", manifest(2));
  assert.deepEqual([moved.status, moved.json<{ errors: { code: string }[] }>().errors[0]?.code], [403, "DENIED"]);
  const two = digestOf(manifest(2));
  assert.equal(await bob.status("PUT", `/v2/team/a/manifests/${two}?tag=new&tag=latest`, manifest(2)), 403);
  assert.equal(await bob.status("GET", "/v2/team/a/manifests/new"), 404, "all or nothing");
  assert.equal(await bob.status("DELETE", "/v2/team/a/manifests/latest"), 403);
  assert.equal(await ann.status("PUT", "/v2/team/a/manifests/latest", manifest(2)), 201);
  assert.equal(await ann.status("DELETE", "/v2/team/a/manifests/latest"), 202);
});

test("immutable tags: not moved, not deleted, nor anything they stand for, by whoever it is (zot #4266)", async () => {
  await using root = await tempRoot();
  await using registry = await start(root, {
    ...RULES,
    immutable: [{ repositories: ["team/**"], tags: ["v*"] }],
  });
  const admin = new Client(registry, "root");
  const child = manifest(1);
  const list = JSON.stringify({
    schemaVersion: 2,
    mediaType: TYPE,
    manifests: [{ mediaType: TYPE, digest: digestOf(child), size: child.length }],
  });
  assert.equal(await admin.status("PUT", `/v2/team/a/manifests/${digestOf(child)}`, child), 201);
  assert.equal(await admin.status("PUT", "/v2/team/a/manifests/v1", list), 201);
  assert.equal(await admin.status("PUT", "/v2/team/a/manifests/v1", list), 201);
  assert.equal(await admin.status("PUT", "/v2/team/a/manifests/v1", manifest(2)), 403);
  assert.equal(await admin.status("PUT", `/v2/team/a/manifests/${digestOf(manifest(2))}?tag=v1`, manifest(2)), 403);
  assert.equal(await admin.status("DELETE", "/v2/team/a/manifests/v1"), 403);
  assert.equal(await admin.status("DELETE", `/v2/team/a/manifests/${digestOf(list)}`), 403);
  assert.equal(await admin.status("DELETE", `/v2/team/a/manifests/${digestOf(child)}`), 403);
  assert.equal(digestOf((await admin.send("GET", "/v2/team/a/manifests/v1")).bytes), digestOf(list));
  // Elsewhere the same names mean nothing.
  assert.equal(await admin.status("PUT", "/v2/other/manifests/v1", manifest(1)), 201);
  assert.equal(await admin.status("PUT", "/v2/other/manifests/v1", manifest(2)), 201);
});

test("scenario 18, distribution CVE-2026-41888: with deletes off, nothing is deleted, by tag neither, by whoever it is", async () => {
  await using root = await tempRoot();
  await using registry = await start(root, { ...RULES, deletes: false });
  const admin = new Client(registry, "root");
  await admin.send("PUT", "/v2/a/manifests/t", manifest(1));
  for (const path of [`manifests/t`, `manifests/${digestOf(manifest(1))}`, `blobs/${digestOf("x")}`])
    assert.equal(await admin.status("DELETE", `/v2/a/${path}`), 405, path);
  assert.equal(await admin.status("GET", "/v2/a/manifests/t"), 200);
});

test("scenario 22: private repositories answer like missing ones, and mounts from them like nothing", async () => {
  await using root = await tempRoot();
  await using registry = await start(root, RULES);
  const admin = new Client(registry, "root");
  const digest = digestOf("secret layer");
  assert.equal(await admin.status("POST", `/v2/private/there/blobs/uploads/?digest=${digest}`, "secret layer"), 201);
  assert.equal(await admin.status("PUT", "/v2/private/there/manifests/t", manifest(1)), 201);
  for (const user of [null, "ann"]) {
    const client = new Client(registry, user);
    const requests = [
      ["GET", "manifests/t"],
      ["GET", `manifests/${digestOf(manifest(1))}`],
      ["GET", `blobs/${digest}`],
      ["GET", "tags/list"],
      ["GET", `referrers/${digest}`],
      ["POST", "blobs/uploads/"],
      ["DELETE", "manifests/t"],
    ] as const;
    for (const [method, path] of requests) {
      const [there, missing] = await Promise.all(
        ["there", "gone"].map((name) => client.send(method, `/v2/private/${name}/${path}`)),
      );
      assert.deepEqual([there?.status, there?.text], [user === null ? 401 : 403, missing?.text], `${method} ${path}`);
      const { date: _, ...headers } = there?.headers ?? {};
      const { date: __, ...others } = missing?.headers ?? {};
      assert.deepEqual(headers, others);
    }
  }
  const ann = new Client(registry, "ann");
  const mounts = [`mount=${digest}&from=private/there`, `mount=${digest}&from=private/gone`, `mount=${digest}`];
  for (const query of mounts) {
    const answer = await ann.send("POST", `/v2/team/a/blobs/uploads/?${query}`);
    assert.deepEqual([answer.status, answer.text], [202, ""], query);
  }
});

test("scenario 14: the catalogue shows what may be seen, in pages, and takes no nonsense for a number", async () => {
  await using root = await tempRoot();
  await using registry = await start(root, RULES);
  const admin = new Client(registry, "root");
  for (const name of ["private/a", "public/a", "public/b", "team/a"])
    assert.equal(await admin.status("PUT", `/v2/${name}/manifests/t`, manifest(1)), 201);
  const seen = async (user: string | null, query = ""): Promise<unknown> =>
    (await new Client(registry, user).send("GET", `/v2/_catalog${query}`)).json<{ repositories: unknown }>()
      .repositories;
  assert.deepEqual(await seen(null), ["public/a", "public/b"]);
  assert.deepEqual(await seen("ann"), ["public/a", "public/b", "team/a"]);
  assert.deepEqual(await seen("root"), ["private/a", "public/a", "public/b", "team/a"]);
  assert.deepEqual(await seen("ann", "?n=1&last=public/b"), ["team/a"]);
  for (const n of ["-1", "x", "1e9", "99999999999999999999"])
    assert.equal(await admin.status("GET", `/v2/_catalog?n=${n}`), 400, n);
  assert.equal(await admin.status("GET", `/v2/_catalog?n=${2 ** 31}`), 200);
});

test("scenario 29: wrong passwords slow further ones down, whoever is logged in goes on; requests have a rate", async () => {
  await using root = await tempRoot();
  // The clock stands still: no wait is over before it was seen.
  const scope = createScope({ now: () => 1_000_000 });
  await using registry = await start(root, { scope, attempts: { perUser: 3 } });
  const right = new Client(registry, "ann");
  assert.equal(await right.status("GET", "/v2/"), 200);
  const guess = (): Promise<RawResponse> =>
    rawRequest(`${registry.url}/v2/`, {
      headers: { authorization: `Basic ${Buffer.from("ann:wrong").toString("base64")}` },
    });
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await guess()).status);
  assert.deepEqual(statuses, [401, 401, 401, 429]);
  assert.match(String((await guess()).headers["retry-after"]), /^[1-9]\d*$/);
  assert.equal(await right.status("GET", "/v2/"), 200);
  await using limited = await Registry.listen({ scope, requests: { perAddress: { rate: 0.001, burst: 2 } } });
  const anybody = new Client(limited, null);
  assert.deepEqual(
    [await anybody.status("GET", "/v2/"), await anybody.status("GET", "/v2/"), await anybody.status("GET", "/v2/")],
    [200, 200, 429],
  );
});

test("scenario 17, distribution CVE-2026-35172: what was deleted is gone at once, and does not come back by another repository", async () => {
  await using registry = await Registry.listen();
  const anybody = new Client(registry, null);
  const digest = digestOf("layer");
  for (const name of ["a", "b"])
    assert.equal(await anybody.status("POST", `/v2/${name}/blobs/uploads/?digest=${digest}`, "layer"), 201);
  assert.equal(await anybody.status("GET", `/v2/a/blobs/${digest}`), 200);
  assert.equal(await anybody.status("DELETE", `/v2/a/blobs/${digest}`), 202);
  // Somebody reads the other one's: nothing of that is remembered for this one.
  assert.equal(await anybody.status("GET", `/v2/b/blobs/${digest}`), 200);
  assert.equal(await anybody.status("GET", `/v2/a/blobs/${digest}`), 404);
  assert.equal(await anybody.status("GET", `/v2/c/blobs/${digest}`), 404);
  for (const name of ["a", "b"]) await anybody.send("PUT", `/v2/${name}/manifests/t`, manifest(1));
  const one = digestOf(manifest(1));
  assert.equal(await anybody.status("GET", `/v2/a/manifests/${one}`), 200);
  assert.equal(await anybody.status("DELETE", `/v2/a/manifests/${one}`), 202);
  assert.equal(await anybody.status("GET", `/v2/b/manifests/${one}`), 200);
  for (const reference of ["t", one]) assert.equal(await anybody.status("GET", `/v2/a/manifests/${reference}`), 404);
});
