// Logging in and out, by the programs: `teu login` and `logout`, skopeo and docker-registry, with users, by TLS and without.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { createScope } from "@teu/base/scope";
import { pushImage } from "@teu/distribution/client/push";
import { RegistryClient } from "@teu/distribution/client/registry-client";
import { MemoryContentStore } from "@teu/image/memory-content-store";
import { parseReference } from "@teu/image/reference";
import { TestAuthority } from "@teu/testkit/certificates";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";
import { randomImage } from "@teu/testkit/random-image";

import { CliHost, UNABLE } from "./cli-harness.ts";

const scope = createScope();
const skip = UNABLE ?? false;
const SKOPEO = "/usr/bin/skopeo";
// bcrypt of "right", cost 8.
const USERS = "ann:$2b$08$7hbB8oX1t0Mt1BG9Q8o4IuEcH.tw9SqOweaVEK2hlFUUpsaUm5JES\n";
const run = promisify(execFile);

let host: CliHost;
before(async () => {
  if (skip === false) host = await CliHost.open();
});
after(async () => {
  if (skip === false) await host[Symbol.asyncDispose]();
});

interface Serving extends AsyncDisposable {
  readonly url: string;
  readonly address: string;
}

// In memory, at any port.
function serve(...args: readonly string[]): Promise<Serving> {
  return start("--addr", "127.0.0.1:0", "--memory", ...args);
}

// `teu registry serve`, as a user starts it.
async function start(...args: readonly string[]): Promise<Serving> {
  const { child, ended, says } = host.start(["registry", "serve", ...args]);
  const text = await says("listening on ");
  const url = /listening on (\S+)/.exec(text)?.[1] ?? "";
  return {
    url,
    address: url.replace(/^https?:\/\//, ""),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function usersFile(): string {
  const file = join(host.directory, "users");
  writeFileSync(file, USERS);
  return file;
}

function config(): string {
  const file = join(host.directory, ".docker", "config.json");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

// Log in, push, pull, log out: `trust` are flags for registries with certificates of nobody.
async function wholeStory(address: string, ...trust: readonly string[]): Promise<void> {
  const name = `${address}/team/base:v1`;
  await host.ok(["tag", "base", name]);
  const stranger = await host.teu(["push", ...trust, name]);
  assert.notEqual(stranger.code, 0);
  assert.match(stranger.stderr, new RegExp(`log in with .teu login ${address}`));

  for (const [user, password] of [
    ["ann", "wrong"],
    ["nobody", "right"],
  ] as const) {
    const wrong = await host.teu(["login", ...trust, "-u", user, "--password-stdin", address], { input: password });
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.stderr, /user name or password is wrong/);
    assert.ok(!wrong.stderr.includes("right") && !wrong.stdout.includes("Succeeded"));
    assert.ok(!config().includes(address), "nothing is stored");
  }

  assert.match(
    await host.ok(["login", ...trust, "-u", "ann", "--password-stdin", address], { input: "right\n" }),
    /Login Succeeded/,
  );
  assert.ok(config().includes(address));
  await host.ok(["push", ...trust, name]);
  await host.ok(["rmi", name]);
  await host.ok(["pull", ...trust, name]);

  await host.ok(["logout", address]);
  assert.ok(!config().includes(address));
  const again = await host.teu(["push", ...trust, name]);
  assert.notEqual(again.code, 0);
  assert.match(again.stderr, /unauthorized|authentication required/);
  assert.match(again.stderr, new RegExp(`teu login ${address}`));
  // As with Docker, that is no error.
  assert.match(await host.ok(["logout", address]), /Not logged in to/);
}

test("login, push, pull, logout: with our registry", { skip }, async () => {
  await using registry = await serve("--htpasswd", usersFile());
  await wholeStory(registry.address);
});

test(
  "login, push, pull, logout: with docker-registry",
  { skip: skip === false ? noDockerRegistry() : skip },
  async () => {
    await using registry = await DockerRegistry.start({ htpasswd: USERS });
    await wholeStory(registry.address);
  },
);

test(
  "login, push, pull, logout: by TLS, trusting the registry's authority, or nobody with --insecure",
  { skip },
  async () => {
    const authority = new TestAuthority();
    const pair = authority.issue();
    const files = { cert: join(host.directory, "cert.pem"), key: join(host.directory, "key.pem") };
    writeFileSync(files.cert, pair.cert);
    writeFileSync(files.key, pair.key);
    await using registry = await serve("--htpasswd", usersFile(), "--tls-cert", files.cert, "--tls-key", files.key);
    assert.match(registry.url, /^https:/);
    const untrusted = await host.teu(["login", "-u", "ann", "--password-stdin", registry.address], { input: "right" });
    assert.notEqual(untrusted.code, 0);
    assert.match(untrusted.stderr, /certificate is not trusted[^]*certs\.d[^]*--insecure/);
    assert.ok(!config().includes(registry.address));
    await wholeStory(registry.address, "--insecure");
    const trusted = join(host.directory, ".config/containers/certs.d", registry.address);
    mkdirSync(trusted, { recursive: true });
    writeFileSync(join(trusted, "ca.crt"), authority.cert);
    await wholeStory(registry.address);
  },
);

test("login: a registry with tokens gives one to keep, and the password is kept nowhere", { skip }, async () => {
  const file = join(host.directory, "tokens.yaml");
  const settings = { address: "127.0.0.1:0", memory: true, users: { htpasswd: usersFile() }, tokens: {} };
  writeFileSync(file, JSON.stringify(settings));
  await using registry = await start("--config", file);
  const { address } = registry;
  const login = await host.teu(["login", "-u", "ann", "--password-stdin", address], { input: "right" });
  assert.equal(login.code, 0);
  assert.match(login.stderr, /^A token is kept in .*config\.json, and no password$/m);
  const flags = ["--format", "json", "-u", "ann", "--password-stdin", address];
  const told = JSON.parse(await host.ok(["login", ...flags], { input: "right" })) as Record<string, unknown>;
  assert.deepEqual([told["token"], told["username"], Object.keys(told).length], [true, "ann", 4]);
  const { auths } = JSON.parse(config()) as { auths: Record<string, { auth: string; identitytoken: string }> };
  assert.match(auths[address]?.identitytoken ?? "", /^eyJ/);
  assert.equal(Buffer.from(auths[address]?.auth ?? "", "base64").toString(), "<token>:");
  const name = `${address}/tokens:v1`;
  await host.ok(["tag", "base", name]);
  await host.ok(["push", name]);
  await host.ok(["rmi", name]);
  await host.ok(["pull", name]);
  if (existsSync(SKOPEO)) {
    const env = { ...process.env, REGISTRY_AUTH_FILE: join(host.directory, ".docker", "config.json") };
    await run(SKOPEO, ["inspect", "--tls-verify=false", `docker://${name}`], { env });
  }
  await host.ok(["logout", address]);
  assert.ok(!config().includes(address));
});

test("registry serve: --anonymous-pull lets anybody pull and nobody push", { skip }, async () => {
  await using registry = await serve("--htpasswd", usersFile(), "--anonymous-pull");
  const name = `${registry.address}/open:v1`;
  await host.ok(["tag", "base", name]);
  await host.ok(["login", "-u", "ann", "--password-stdin", registry.address], { input: "right" });
  await host.ok(["push", name]);
  await host.ok(["logout", registry.address]);
  await host.ok(["rmi", name]);
  await host.ok(["pull", name]);
  assert.notEqual((await host.teu(["push", name])).code, 0);
});

test("registry serve: refuses what cannot be right at once", { skip }, async () => {
  const file = join(host.directory, "bad-users");
  writeFileSync(file, "ann:$apr1$abc$0123456789012345678901\n");
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["--htpasswd", file], /"ann" is not hashed with bcrypt or argon2id: it is MD5[^]*htpasswd -B/],
    [["--htpasswd", join(host.directory, "none")], /no such file/],
    [["--anonymous-pull"], /--anonymous-pull needs --htpasswd/],
    [["--tls-cert", file], /--tls-cert and --tls-key go together/],
    [["--tls-cert", file, "--tls-key", file], /no PEM certificate/],
  ];
  for (const [args, message] of cases) {
    const outcome = await host.teu(["registry", "serve", "--addr", "127.0.0.1:0", "--memory", ...args]);
    assert.notEqual(outcome.code, 0, args.join(" "));
    assert.match(outcome.stderr, message);
  }
});

test(
  "skopeo logs in to our registry, and is kept out without",
  { skip: existsSync(SKOPEO) ? skip : "skopeo is not installed" },
  async () => {
    await using registry = await serve("--htpasswd", usersFile());
    const store = new MemoryContentStore();
    const { descriptor } = await randomImage(scope, store);
    await using client = new RegistryClient({
      credentials: { find: async () => ({ username: "ann", password: "right" }) },
    });
    await pushImage(scope, { client, reference: parseReference(`${registry.address}/a:v1`), store, descriptor });
    const inspect = async (...creds: readonly string[]): Promise<string> =>
      (await run(SKOPEO, ["inspect", "--raw", "--tls-verify=false", ...creds, `docker://${registry.address}/a:v1`]))
        .stdout;
    assert.match(await inspect("--creds", "ann:right"), /schemaVersion/);
    await assert.rejects(inspect("--creds", "ann:wrong"), /unauthorized|authentication required/);
    await assert.rejects(inspect("--no-creds"), /unauthorized|authentication required/);
    const copy = [`docker://${registry.address}/a:v1`, `docker://${registry.address}/b:v1`] as const;
    const flags = [
      "--insecure-policy",
      "copy",
      "--src-tls-verify=false",
      "--dest-tls-verify=false",
      "--src-creds",
      "ann:right",
    ];
    await assert.rejects(
      run(SKOPEO, [...flags, "--dest-creds", "ann:no", ...copy]),
      /unauthorized|authentication required/,
    );
    await run(SKOPEO, [...flags, "--dest-creds", "ann:right", ...copy]);
    assert.equal((await client.resolve(scope, parseReference(`${registry.address}/b:v1`))).digest, descriptor.digest);
  },
);

// Node's own way to make directories never returns there.
const PLACES: readonly (readonly [string, readonly string[]])[] = [
  ["--root", ["--root", "/proc/nowhere/a", "images"]],
  ["--runroot", ["--runroot", "/proc/nowhere/a", "ps"]],
  ["registry --root", ["registry", "serve", "--addr", "127.0.0.1:0", "--root", "/proc/nowhere/a"]],
  ["save -o", ["save", "-o", "/proc/nowhere/a/b.tar", "base"]],
  ["run -v", ["run", "--rm", "--network", "none", "-v", "/proc/nowhere/a:/a", "base", "true"]],
];
for (const [name, args] of PLACES) {
  test(`${name}: a directory below /proc is an error, not a hang`, { skip, timeout: 20_000 }, async () => {
    const outcome = await host.teu(args);
    assert.notEqual(outcome.code, 0);
    assert.match(outcome.stderr, /\/proc\/nowhere/);
  });
}

test("login: a credential file below /proc is an error, not a hang", { skip, timeout: 20_000 }, async () => {
  await using registry = await serve("--htpasswd", usersFile());
  const env = { DOCKER_CONFIG: "/proc/nowhere/docker" };
  const outcome = await host.teu(["login", "-u", "ann", "--password-stdin", registry.address], { input: "right", env });
  assert.notEqual(outcome.code, 0);
  assert.match(outcome.stderr, /\/proc\/nowhere\/docker/);
});
