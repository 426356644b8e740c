// The registry as it is operated: skopeo and podman log in to its token server, push and pull within their rights, and pull another
// registry through it; `teu registry serve --config` follows its file.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { promisify } from "node:util";
import { digestOf } from "@teu/image/digest";
import { Registry, type RegistryOptions } from "@teu/registry/registry";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";
import { rawRequest } from "@teu/testkit/raw-http";
import { tempRoot, type TempRoot } from "@teu/testkit/temp-root";

const run = promisify(execFile);
const SKOPEO = "/usr/bin/skopeo";
const PODMAN = "/usr/bin/podman";
const DOCKER = ["/usr/bin/docker", "/usr/local/bin/docker"].find((path) => existsSync(path)) ?? "/usr/bin/docker";
const TEU = new URL("../../bin/teu", import.meta.url).pathname;
// bcrypt of "right", cost 8.
const HASH = "$2b$08$7hbB8oX1t0Mt1BG9Q8o4IuEcH.tw9SqOweaVEK2hlFUUpsaUm5JES";

function missing(program: string): string | false {
  try {
    accessSync(program);
    return false;
  } catch {
    return `${program} is not installed`;
  }
}

async function users(root: TempRoot): Promise<string> {
  await writeFile(root.join("users"), `ann:${HASH}\nbob:${HASH}\n`);
  return root.join("users");
}

// A tool with credentials of its own.
async function tool(root: TempRoot, program: string, ...argv: readonly string[]): Promise<string> {
  const env = {
    PATH: process.env["PATH"],
    HOME: root.path,
    REGISTRY_AUTH_FILE: root.join("auth.json"),
    XDG_RUNTIME_DIR: root.path,
  };
  const { stdout } = await run(program, argv, { timeout: 60_000, env });
  return stdout;
}

const skopeo = (root: TempRoot, ...argv: readonly string[]): Promise<string> =>
  tool(root, SKOPEO, "--insecure-policy", ...argv);

async function layout(root: TempRoot): Promise<string> {
  const directory = root.join("image");
  await mkdir(`${directory}/blobs/sha256`, { recursive: true });
  const write = async (text: string): Promise<{ digest: string; size: number }> => {
    const digest = digestOf(text);
    await writeFile(`${directory}/blobs/sha256/${digest.slice(7)}`, text);
    return { digest, size: text.length };
  };
  // An empty archive is a layer.
  const layer = "\0".repeat(1024);
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...(await write(config)) },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...(await write(layer)) }],
  });
  const entry = { mediaType: "application/vnd.oci.image.manifest.v1+json", ...(await write(manifest)) };
  await writeFile(`${directory}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(
    `${directory}/index.json`,
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ ...entry, annotations: { "org.opencontainers.image.ref.name": "v1" } }],
    }),
  );
  return `oci:${directory}:v1`;
}

const RULES: RegistryOptions = {
  tokens: {},
  groups: { devs: ["ann"] },
  rules: [
    { repositories: ["team/**"], groups: { devs: ["read", "create", "update", "catalog"] } },
    { repositories: ["public/**"], anonymous: ["read"], groups: { devs: ["read", "create"] } },
  ],
};

test(
  "skopeo logs in to the token server, and pushes and pulls within its rights",
  { skip: missing(SKOPEO) },
  async () => {
    await using root = await tempRoot();
    await using registry = await Registry.listen({ ...RULES, htpasswd: await users(root) });
    const image = await layout(root);
    const at = (name: string): string => `docker://${registry.address}/${name}`;
    await assert.rejects(skopeo(root, "login", "--tls-verify=false", "-u", "ann", "-p", "wrong", registry.address));
    await skopeo(root, "login", "--tls-verify=false", "-u", "ann", "-p", "right", registry.address);
    for (const name of ["team/app:v1", "public/app:v1"])
      await skopeo(root, "copy", "--dest-tls-verify=false", image, at(name));
    await skopeo(
      root,
      "copy",
      "--src-tls-verify=false",
      "--dest-tls-verify=false",
      at("team/app:v1"),
      at("team/other:v1"),
    );
    assert.match(await skopeo(root, "list-tags", "--tls-verify=false", at("team/app")), /"v1"/);
    await assert.rejects(
      skopeo(root, "copy", "--dest-tls-verify=false", image, at("others/app:v1")),
      /denied|unauthorized|authentication/i,
    );
    await assert.rejects(
      skopeo(root, "delete", "--tls-verify=false", at("team/app:v1")),
      /denied|unauthorized|authentication/i,
    );
    await skopeo(root, "logout", registry.address);
    await skopeo(root, "inspect", "--tls-verify=false", at("public/app:v1"));
    await assert.rejects(
      skopeo(root, "inspect", "--tls-verify=false", at("team/app:v1")),
      /denied|unauthorized|authentication/i,
    );
  },
);

test(
  "podman logs in to the token server, and a user without rights is told no",
  { skip: missing(PODMAN) || missing(SKOPEO) },
  async () => {
    await using root = await tempRoot();
    await using registry = await Registry.listen({ ...RULES, htpasswd: await users(root) });
    const place = [
      "--root",
      root.join("storage"),
      "--runroot",
      root.join("run"),
      "--storage-driver",
      "vfs",
      "--tmpdir",
      root.join("tmp"),
    ];
    const podman = (...argv: readonly string[]): Promise<string> => tool(root, PODMAN, ...place, ...argv);
    await assert.rejects(podman("login", "--tls-verify=false", "-u", "ann", "-p", "wrong", registry.address));
    assert.match(
      await podman("login", "--tls-verify=false", "-u", "ann", "-p", "right", registry.address),
      /Login Succeeded/,
    );
    const seed = `${registry.address}/team/seed:v1`;
    await skopeo(
      root,
      "copy",
      "--dest-tls-verify=false",
      "--dest-creds=ann:right",
      await layout(root),
      `docker://${seed}`,
    );
    const loaded = (await podman("pull", "-q", "--tls-verify=false", seed)).trim();
    await podman("push", "-q", "--tls-verify=false", loaded, `${registry.address}/team/app:v1`);
    await podman("pull", "-q", "--tls-verify=false", `${registry.address}/team/app:v1`);
    await podman("login", "--tls-verify=false", "-u", "bob", "-p", "right", registry.address);
    await assert.rejects(
      podman("pull", "-q", "--tls-verify=false", `${registry.address}/team/app:v1`),
      /denied|unauthorized|authentication/i,
    );
  },
);

test("docker logs in, and keeps a refresh token instead of the password", { skip: missing(DOCKER) }, async () => {
  await using root = await tempRoot();
  await using registry = await Registry.listen({ ...RULES, htpasswd: await users(root) });
  // Without a daemon the program logs in by itself.
  const env = {
    PATH: process.env["PATH"],
    HOME: root.path,
    DOCKER_CONFIG: root.path,
    DOCKER_HOST: `unix://${root.join("none")}`,
  };
  const login = (password: string): Promise<unknown> =>
    run(DOCKER, ["login", "-u", "ann", "-p", password, registry.address], { timeout: 60_000, env });
  await assert.rejects(login("wrong"));
  await login("right");
  const { auths } = JSON.parse(await readFile(root.join("config.json"), "utf8")) as {
    auths: Record<string, { auth?: string; identitytoken?: string }>;
  };
  const { auth = "", identitytoken = "" } = auths[registry.address] ?? {};
  assert.match(identitytoken, /^eyJ/);
  assert.doesNotMatch(Buffer.from(auth, "base64").toString(), /right/);
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: identitytoken,
    service: "teu-registry",
  });
  const answer = await rawRequest(`${registry.url}/token`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: form.toString(),
  });
  assert.equal(answer.status, 200);
});

test(
  "skopeo pulls docker-registry's images through ours, with docker-registry's users, and after its end",
  { skip: missing(SKOPEO) || noDockerRegistry() },
  async () => {
    await using root = await tempRoot();
    const image = await layout(root);
    const upstream = await DockerRegistry.start({ htpasswd: `ann:${HASH}\n` });
    await skopeo(
      root,
      "copy",
      "--dest-tls-verify=false",
      "--dest-creds=ann:right",
      image,
      `docker://${upstream.address}/a/b:v1`,
    );
    const proxies = [{ prefix: "up", upstream: upstream.address, username: "ann", password: "right", ttl: 0 }];
    await using registry = await Registry.listen({ root: root.join("data"), proxies });
    const through = (to: string): Promise<string> =>
      skopeo(root, "copy", "--src-tls-verify=false", `docker://${registry.address}/up/a/b:v1`, `dir:${root.join(to)}`);
    await through("first");
    await upstream[Symbol.asyncDispose]();
    await through("second");
  },
);

interface Serving extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
  /** Waits until the log says something. */
  says(text: string): Promise<void>;
}

async function serve(file: string): Promise<Serving> {
  const child = spawn(TEU, ["registry", "serve", "--config", file], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  let wake = (): void => {};
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      wake();
    });
  const ended = once(child, "close");
  let over = false;
  void ended.then(() => {
    over = true;
    wake();
  });
  const says = async (wanted: string): Promise<void> => {
    while (!text.includes(wanted)) {
      assert.ok(!over, `it ended and said:\n${text}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  await says("listening on ");
  return {
    url: /listening on (\S+)/.exec(text)?.[1] ?? "",
    child,
    says,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

test(
  "teu registry serve --config: follows its file, tells what is wrong with it, drains on SIGTERM",
  { skip: existsSync(TEU) ? false : "bin/teu is not built" },
  async () => {
    await using root = await tempRoot();
    await users(root);
    const file = root.join("registry.yaml");
    const write = (more: string): Promise<void> =>
      writeFile(file, `address: 127.0.0.1:0\nroot: data\nusers: { htpasswd: users }\n${more}`);
    await write("readOnly: false\n");
    await using serving = await serve(file);
    const push = async (): Promise<number> =>
      (
        await rawRequest(`${serving.url}/v2/a/blobs/uploads/`, {
          method: "POST",
          headers: { authorization: `Basic ${Buffer.from("ann:right").toString("base64")}` },
        })
      ).status;
    assert.equal(await push(), 202);
    await write("readOnly: perhaps\n");
    serving.child.kill("SIGHUP");
    await serving.says('readOnly is \\"perhaps\\", want true or false');
    assert.equal(await push(), 202);
    await write("readOnly: true\n");
    serving.child.kill("SIGHUP");
    await serving.says("the configuration was read again");
    assert.equal(await push(), 405);
    serving.child.kill("SIGTERM");
    await serving.says("stopped by SIGTERM");
  },
);
