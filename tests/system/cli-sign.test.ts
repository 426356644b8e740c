// teu sign, verify and key as people type them, the policy in front of pull, run, build and copy, and what skopeo, OpenSSL and cosign
// make of it all. Debian's skopeo neither makes nor verifies these signatures, but it reads and writes them where they are kept.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Registry } from "@teu/registry/registry";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";

import { CliHost, type Outcome, UNABLE } from "./cli-harness.ts";

const SKOPEO = "/usr/bin/skopeo";
const ROOTS = new URL("../../packages/distribution/src/signing/testdata/trusted_root.json", import.meta.url).pathname;
const OPENSSL = "/usr/bin/openssl";
const GPG = "/usr/bin/gpg";
const COSIGN = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((path) => join(path, "cosign"))
  .find(existsSync);
const run = promisify(execFile);
const skip = UNABLE;
const PASSWORD = { COSIGN_PASSWORD: "a password" };
const ACCEPT = [{ type: "insecureAcceptAnything" }];
const REJECT = [{ type: "reject" }];
let host: CliHost;
let registry: Registry;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen();
  for (const name of ["own", "other", "third"])
    assert.equal((await teu(["key", "generate", "--output-key-prefix", at(name)])).code, 0);
  mkdirSync(at("registries.d"));
  writeFileSync(at("registries.d/default.yaml"), "default-docker:\n  use-sigstore-attachments: true\n");
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

function at(name: string): string {
  return join(host.directory, name);
}

function teu(args: readonly string[], env: Readonly<Record<string, string>> = PASSWORD): Promise<Outcome> {
  return host.teu(args, { env });
}

/** An image of its own on a registry; its name without tag. */
async function pushed(name: string, address: string = registry.address): Promise<string> {
  const image = `${address}/${name}`;
  await host.ok(["copy", "-q", "containers:base", `${image}:v1`]);
  return image;
}

async function sign(image: string, ...options: readonly string[]): Promise<Outcome> {
  const outcome = await teu(["sign", "--key", at("own.key"), ...options, image]);
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome;
}

async function skopeo(...argv: readonly string[]): Promise<boolean> {
  const options = ["--registries.d", at("registries.d"), ...argv];
  try {
    await run(SKOPEO, options, { timeout: 60_000, env: { ...process.env, HOME: host.directory, HTTP_PROXY: "" } });
    return true;
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    if (/Source image rejected/.test(stderr)) return false;
    throw new Error(`skopeo ${argv.join(" ")}: ${stderr}`, { cause: error });
  }
}

test(
  "key: cosign's files, the private one for its owner only, and never over one that is there",
  { skip },
  async () => {
    assert.equal(statSync(at("own.key")).mode & 0o777, 0o600);
    assert.match(readFileSync(at("own.key"), "utf8"), /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/);
    const shown = await teu(["key", "public", "--key", at("own.key")]);
    assert.equal(shown.stdout, readFileSync(at("own.pub"), "utf8"));
    const again = await teu(["key", "generate", "--output-key-prefix", at("own")]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /there is a file already/);
    assert.equal((await teu(["key", "public", "--key", at("own.key")])).stdout, shown.stdout);
    const wrong = await teu(["key", "public", "--key", at("own.key")], { COSIGN_PASSWORD: "" });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /own\.key.*password is wrong/);
    const nobody = await teu(["key", "public", "--key", at("own.key")], {});
    assert.match(nobody.stderr, /hint: set COSIGN_PASSWORD/);
    const variable = await teu(["key", "public", "--key", "env://KEY"], {
      ...PASSWORD,
      KEY: readFileSync(at("own.key"), "utf8"),
    });
    assert.equal(variable.stdout, shown.stdout);
  },
);

test("sign, verify: exit codes, words and JSON", { skip }, async () => {
  const image = await pushed("words");
  const digest = await host.ok(["digest", `${image}:v1`]);
  const verify = (...options: readonly string[]): Promise<Outcome> => teu(["verify", ...options, `${image}:v1`]);
  const key = ["--key", at("own.pub")];
  assert.equal((await verify(...key)).code, 10);
  const signed = await sign(`${image}:v1`, "-a", "build=42", "-a", "who=me");
  assert.equal(signed.stdout, `${image}@${digest}: signed\n`);
  assert.match(signed.stderr, /the tag can be moved/);
  assert.equal((await sign(`${image}@${digest}`, "-a", "build=42,who=me")).stderr, "");
  const good = await verify(...key);
  assert.equal(good.code, 0);
  assert.equal(good.stdout, `${image}@${digest}\n  signed (bundle) for ${image} build=42 who=me\n`);
  assert.equal((await verify(...key, "-a", "build=42")).code, 0);
  for (const options of [
    ["--key", at("other.pub")],
    [...key, "-a", "build=43"],
    [...key, "-a", "more=1"],
  ]) {
    const bad = await verify(...options);
    assert.deepEqual([bad.code, bad.stdout], [12, ""], options.join(" "));
    assert.match(bad.stderr, /none of its signatures counts/);
  }
  assert.equal((await verify("--key", at("other.pub"), ...key)).code, 0);
  const json = await verify(...key, "--format", "json");
  assert.deepEqual(JSON.parse(json.stdout), [
    {
      critical: {
        identity: { "docker-reference": image },
        image: { "docker-manifest-digest": digest },
        type: "https://sigstore.dev/cosign/sign/v1",
      },
      optional: { build: "42", who: "me" },
    },
  ]);
  for (const [options, code, words] of [
    [[], 125, /--key is missing/],
    [["--key", at("own.key")], 1, /the file holds "ENCRYPTED SIGSTORE PRIVATE KEY", want a "PUBLIC KEY"/],
    [["--key", at("missing")], 1, /no such file/],
    [["--key", "awskms:///x"], 125, /cannot be used/],
    [["--certificate-identity", "me@example.org", "--certificate-oidc-issuer", "x"], 125, /need --trusted-root/],
  ] as const) {
    const outcome = await verify(...options);
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, words);
  }
  // A signature by a key is none by a certificate, whoever it names.
  const certificate = ["--certificate-identity-regexp", ".", "--certificate-oidc-issuer", "https://issuer.example"];
  const byCertificate = await verify(...certificate, "--trusted-root", ROOTS);
  assert.equal(byCertificate.code, 12, byCertificate.stderr);
  assert.match(byCertificate.stderr, /of a key, not of a certificate/);
  assert.equal((await verify(...certificate, "--trusted-root", at("missing"))).code, 1);
  assert.equal((await verify(...certificate, "--trusted-root", ROOTS, ...key)).code, 125);
  assert.equal((await teu(["verify", ...key, `${image}:missing`])).code, 1);
  assert.equal((await teu(["sign", `${image}:v1`])).code, 125);
});

test(
  "policy: pull, run, build and copy take what is signed, and nothing when it cannot be read",
  { skip },
  async () => {
    const image = await pushed("policed");
    const file = at("signed-only.json");
    const signed = [{ type: "sigstoreSigned", keyPath: at("own.pub"), signedIdentity: { type: "matchRepository" } }];
    writeFileSync(
      file,
      JSON.stringify({ default: REJECT, transports: { docker: { [image]: signed }, oci: { "": ACCEPT } } }),
    );
    const context = host.context("on-policed", { Dockerfile: `FROM ${image}:v1\nLABEL a=b\n` });
    const policy = ["--signature-policy", file];
    const ways: readonly (readonly [name: string, args: readonly string[], refused: number])[] = [
      ["pull", ["pull", "-q", ...policy, `${image}:v1`], 1],
      ["run", ["run", "--rm", "--network", "none", ...policy, `${image}:v1`, "true"], 125],
      ["create", ["create", ...policy, `${image}:v1`, "true"], 125],
      ["build", ["build", "-q", "--network", "none", ...policy, context], 1],
      ["copy", ["copy", "-q", ...policy, `${image}:v1`, `oci:${at("policed")}:v1`], 1],
    ];
    for (const [name, args, code] of ways) {
      const outcome = await teu(args);
      assert.equal(outcome.code, code, `${name}: ${outcome.stderr}`);
      assert.match(outcome.stderr, /signature policy does not take it.*has no signature/, name);
      assert.equal((await teu(["inspect", `${image}:v1`])).code, 1, name);
    }
    await sign(`${image}:v1`);
    for (const [name, args] of ways) {
      const outcome = await teu(args);
      assert.equal(outcome.code, 0, `${name}: ${outcome.stderr}`);
      await teu(["rmi", "-f", `${image}:v1`]);
    }
    const elsewhere = await pushed("elsewhere");
    assert.match((await teu(["pull", ...policy, `${elsewhere}:v1`])).stderr, /default\): it rejects everything/);
    assert.equal((await teu(["copy", "-q", ...policy, `oci:${at("policed")}:v1`, `dir:${at("policed-dir")}`])).code, 0);
    assert.match(
      (await teu(["copy", "-q", ...policy, `dir:${at("policed-dir")}`, `oci:${at("back")}`])).stderr,
      /rejects/,
    );

    const own = at(".config/containers/policy.json");
    mkdirSync(at(".config/containers"), { recursive: true });
    try {
      for (const [text, words] of [
        [JSON.stringify({ default: REJECT }), /rejects everything/],
        ["{", /cannot read signature policy/],
        [
          JSON.stringify({ default: [{ type: "signedBy", keyType: "GPGKeys", keyPath: "/k" }] }),
          /keyring cannot be read/,
        ],
      ] as const) {
        writeFileSync(own, text);
        const outcome = await teu(["pull", `${image}:v1`]);
        assert.equal(outcome.code, 1);
        assert.match(outcome.stderr, words);
      }
      assert.equal((await teu(["pull", "-q", ...policy, `${image}:v1`])).code, 0);
    } finally {
      rmSync(own);
    }
    assert.match((await teu(["pull", "--signature-policy", at("missing"), `${image}:v1`])).stderr, /no such file/);
  },
);

test("docs/guide/sign-and-verify.md: works when typed in, its policy too", { skip }, async () => {
  const directory = at("guide");
  mkdirSync(directory);
  await pushed("hello");
  await host.ok(["copy", "-q", "containers:base", `${registry.address}/hello:1.0`]);
  const file = new URL("../../docs/guide/sign-and-verify.md", import.meta.url);
  const guide = readFileSync(file, "utf8").replaceAll("127.0.0.1:5000", registry.address);
  const type = async (line: string): Promise<Outcome> => {
    const inner = /\$\(teu (.*)\)/.exec(line);
    const digest = inner === null ? "" : await host.ok((inner[1] ?? "").split(" "));
    const words = line
      .replace(inner?.[0] ?? "", digest)
      .split(" ")
      .slice(1);
    return host.teu(words, { cwd: directory, env: PASSWORD });
  };
  const lines = [...guide.matchAll(/^# (teu .*)$/gm)].map((match) => match[1] ?? "");
  assert.ok(lines.length >= 4);
  for (const line of lines) {
    const outcome = await type(line);
    assert.equal(outcome.code, 0, `${line}: ${outcome.stderr}`);
  }
  const policy = /^```json\n([^]*?)^```$/m.exec(guide)?.[1] ?? "";
  assert.ok(policy.includes("/etc/containers/keys/cosign.pub"));
  writeFileSync(at("guide/policy.json"), policy.replace("/etc/containers/keys", directory));
  // The same content under a tag that nobody signed is the same digest; other content is not signed.
  const context = host.context("unsigned", { Dockerfile: "FROM base\nLABEL unsigned=yes\n" });
  await host.ok(["build", "-q", "--network", "none", "-t", `${registry.address}/hello:unsigned`, context]);
  await host.ok(["push", "-q", `${registry.address}/hello:unsigned`]);
  await pushed("free");
  for (const [image, code] of [
    ["hello:1.0", 0],
    ["hello:v1", 0],
    ["hello:unsigned", 1],
    ["free:v1", 0],
  ] as const) {
    const outcome = await type(`teu pull -q --signature-policy policy.json ${registry.address}/${image}`);
    assert.equal(outcome.code, code, `${image}: ${outcome.stderr}`);
  }
});

const skipSkopeo = skip ?? (existsSync(SKOPEO) ? undefined : `${SKOPEO} is not installed`);
for (const peer of ["our registry", "docker-registry"] as const) {
  const missing = peer === "docker-registry" ? noDockerRegistry() || undefined : undefined;
  test(
    `skopeo, ${peer}: carries our signatures, openssl verifies them, and we read what skopeo wrote`,
    {
      skip: skipSkopeo ?? (existsSync(OPENSSL) ? missing : `${OPENSSL} is not installed`),
    },
    async () => {
      await using other = peer === "docker-registry" ? await DockerRegistry.start() : null;
      const address = other?.address ?? registry.address;
      const image = await pushed("carried", address);
      for (const key of ["own", "other"])
        assert.equal(
          (await teu(["sign", "--key", at(`${key}.key`), "--output-format", "tag", "-a", `by=${key}`, `${image}:v1`]))
            .code,
          0,
        );
      const directory = at(`carried-${peer.replace(" ", "-")}`);
      assert.ok(
        await skopeo("--insecure-policy", "copy", "--src-tls-verify=false", `docker://${image}:v1`, `dir:${directory}`),
      );
      const files = readdirSync(directory).filter((name) => name.startsWith("signature-"));
      assert.equal(files.length, 2);
      for (const [i, key] of ["own", "other"].entries()) {
        const text = readFileSync(join(directory, `signature-${i + 1}`)).toString();
        const { payload, annotations } = JSON.parse(text.slice(text.indexOf("{"))) as {
          payload: string;
          annotations: Record<string, string>;
        };
        writeFileSync(at("payload"), Buffer.from(payload, "base64"));
        writeFileSync(at("signature"), Buffer.from(annotations["dev.cosignproject.cosign/signature"] ?? "", "base64"));
        await run(OPENSSL, [
          "dgst",
          "-sha256",
          "-verify",
          at(`${key}.pub`),
          "-signature",
          at("signature"),
          at("payload"),
        ]);
      }
      // In the directory they count for a policy, too.
      for (const [key, code] of [
        ["own", 0],
        ["other", 0],
        ["third", 1],
      ] as const) {
        const signedIdentity = { type: "exactRepository", dockerRepository: image };
        const requirement = { type: "sigstoreSigned", keyPath: at(`${key}.pub`), signedIdentity };
        writeFileSync(at("carried.json"), JSON.stringify({ default: [requirement] }));
        const target = `dir:${directory}-${key}`;
        const taken = await teu(["copy", "-q", "--signature-policy", at("carried.json"), `dir:${directory}`, target]);
        assert.equal(taken.code, code, taken.stderr);
      }
      const copied = `${address}/carried-by-skopeo`;
      assert.ok(
        await skopeo(
          "--insecure-policy",
          "copy",
          "--dest-tls-verify=false",
          `dir:${directory}`,
          `docker://${copied}:v1`,
        ),
      );
      for (const key of ["own", "other"]) {
        const outcome = await teu(["verify", "--key", at(`${key}.pub`), `${copied}:v1`]);
        assert.equal(outcome.code, 0, outcome.stderr);
        assert.match(outcome.stdout, new RegExp(`signed \\(tag\\) for ${image} by=${key}`));
      }
      // A third one beside those of skopeo's manifest.
      await sign(`${copied}:v1`, "--output-format", "tag");
      assert.match(
        (await teu(["verify", "--key", at("own.pub"), `${copied}:v1`])).stdout,
        new RegExp(`for ${copied}\n`),
      );
      assert.ok(
        await skopeo(
          "--insecure-policy",
          "copy",
          "--src-tls-verify=false",
          `docker://${copied}:v1`,
          `dir:${directory}-2`,
        ),
      );
      assert.equal(readdirSync(`${directory}-2`).filter((name) => name.startsWith("signature-")).length, 3);
    },
  );
}

test("skopeo: the same policies take and refuse the same images", { skip: skipSkopeo }, async () => {
  const image = await pushed("scopes/deep/app");
  const { address } = registry;
  const digest = await host.ok(["digest", `${image}:v1`]);
  const oci = at("scopes");
  await host.ok(["copy", "-q", `${image}:v1`, `oci:${oci}:v1`]);
  const docker = (scopes: object): object => ({ docker: scopes });
  const cases: readonly (readonly [transports: object, byDefault: object])[] = [
    [{}, ACCEPT],
    [{}, REJECT],
    [docker({ "": ACCEPT }), REJECT],
    [docker({ [address]: ACCEPT, [`${address}/scopes`]: REJECT }), ACCEPT],
    [docker({ [address]: REJECT, [`${address}/scopes`]: ACCEPT }), REJECT],
    [docker({ [`${address}/scopes/dee`]: ACCEPT }), REJECT],
    [docker({ [`${address}/scopes/deep/app`]: ACCEPT }), REJECT],
    [docker({ [`${address}/scopes/deep/app:v1`]: REJECT, [`${address}/scopes/deep/app`]: ACCEPT }), REJECT],
    [docker({ [`${address}/scopes/deep/app@${digest}`]: ACCEPT, [`${address}/scopes/deep/app`]: REJECT }), REJECT],
    [docker({ "127.0.0.1": ACCEPT, "*.0.0.1": ACCEPT }), REJECT],
    [{ oci: { [`${oci}:v1`]: ACCEPT, [oci]: REJECT } }, REJECT],
    [{ oci: { [host.directory]: ACCEPT } }, REJECT],
    [{ oci: { [`${oci}:v2`]: ACCEPT } }, REJECT],
    [docker({ "": [...ACCEPT, ...REJECT] }), ACCEPT],
  ];
  for (const [i, [transports, byDefault]] of cases.entries()) {
    const policy = at("scopes.json");
    writeFileSync(policy, JSON.stringify({ default: byDefault, transports }));
    const sources = "oci" in transports ? [`oci:${oci}:v1`] : [`docker://${image}:v1`, `docker://${image}@${digest}`];
    for (const [j, source] of sources.entries()) {
      const [theirs, ours] = [`dir:${at(`theirs-${i}-${j}`)}`, `dir:${at(`ours-${i}-${j}`)}`];
      const [there, here] = await Promise.all([
        skopeo("--policy", policy, "copy", "--src-tls-verify=false", source, theirs),
        teu(["copy", "-q", "--signature-policy", policy, source, ours]),
      ]);
      const what = JSON.stringify({ default: byDefault, transports });
      assert.equal(here.code === 0, there, `${source} with ${what}: ${here.stderr}`);
    }
  }
});

test(
  "skopeo, gpg: GPG signatures in a lookaside and in directories count for both of us, and the same ones do not",
  { skip: skipSkopeo ?? (existsSync(GPG) ? undefined : `${GPG} is not installed`) },
  async () => {
    const home = at("gnupg");
    mkdirSync(home, { mode: 0o700 });
    const gpg = async (...argv: readonly string[]): Promise<string> =>
      (await run(GPG, ["--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", ...argv])).stdout;
    const fingerprints: string[] = [];
    for (const name of ["good", "bad"]) {
      await gpg("--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never");
      await gpg("--export", "--output", at(`${name}.gpg`), name);
      const [, fingerprint = ""] = /^fpr:+([0-9A-F]+):$/m.exec(await gpg("--with-colons", "--list-keys", name)) ?? [];
      fingerprints.push(fingerprint);
    }
    const [good = "", bad = ""] = fingerprints;
    const image = await pushed("gpg/deep/app");
    const digest = await host.ok(["digest", `${image}:v1`]);
    await host.ok(["copy", "-q", `${image}:v1`, `${image}:v2`]);
    const source = at("gpg-source");
    await host.ok(["copy", "-q", `${image}:v1`, `dir:${source}`]);
    // The same file for both: skopeo is told of its directory, we look in HOME.
    const places = [at("registries.d"), at(".config/containers/registries.d")];
    mkdirSync(places[1] ?? "", { recursive: true });
    const rules = `docker:\n  ${registry.address}/gpg:\n    lookaside: file://${at("lookaside")}\n`;
    for (const place of places) writeFileSync(join(place, "gpg.yaml"), rules);
    const signatures = at(`lookaside/gpg/deep/app@${digest.replace(":", "=")}`);
    mkdirSync(signatures, { recursive: true });
    const signed = async (number: number, key: string, name: string): Promise<void> => {
      const file = join(signatures, `signature-${number}`);
      const env = { ...process.env, GNUPGHOME: home, HOME: host.directory };
      await run(SKOPEO, ["standalone-sign", "-o", file, join(source, "manifest.json"), name, key], { env });
    };
    const by = (keys: readonly string[], more: object = {}): object => ({
      default: [{ type: "signedBy", keyType: "GPGKeys", keyPaths: keys.map((key) => at(`${key}.gpg`)), ...more }],
    });
    const exact = { signedIdentity: { type: "exactReference", dockerReference: `${image}:v1` } };
    let count = 0;
    const same = async (from: string, policy: object, wanted: boolean): Promise<void> => {
      count += 1;
      writeFileSync(at("gpg.json"), JSON.stringify(policy));
      const [theirs, ours] = [`dir:${at(`gpg-theirs-${count}`)}`, `dir:${at(`gpg-ours-${count}`)}`];
      const [there, here] = await Promise.all([
        skopeo("--policy", at("gpg.json"), "copy", "--src-tls-verify=false", from, theirs),
        teu(["copy", "-q", "--signature-policy", at("gpg.json"), from, ours]),
      ]);
      const what = `${from} with ${JSON.stringify(policy)}: ${here.stderr}`;
      assert.deepEqual([here.code === 0, there], [wanted, wanted], what);
    };
    try {
      const name = `docker://${image}`;
      await same(`${name}:v1`, by(["good"]), false);
      await signed(1, bad, `${image}:v1`);
      await same(`${name}:v1`, by(["good"]), false);
      await signed(2, good, `${image}:v1`);
      await same(`${name}:v1`, by(["good"]), true);
      await same(`${name}:v1`, by(["good", "bad"]), true);
      await same(`${name}@${digest}`, by(["good"]), true);
      await same(`${name}:v2`, by(["good"]), false);
      await same(`${name}:v2`, by(["good"], { signedIdentity: { type: "matchRepository" } }), true);
      await same(`${name}:v2`, by(["good"], exact), true);
      await same(`docker://${await pushed("other/app")}:v1`, by(["good"], exact), false);
      // As skopeo has written them beside the image.
      assert.deepEqual(readdirSync(at("gpg-theirs-3")).filter((file) => file.startsWith("signature-")).length, 2);
      await same(`dir:${at("gpg-theirs-3")}`, by(["good"], exact), true);
      await same(`dir:${at("gpg-theirs-3")}`, by(["good"]), false);
      await same(`dir:${source}`, by(["good"], exact), false);
      for (const [key, code] of [
        ["good", 0],
        ["missing", 1],
      ] as const) {
        writeFileSync(at("gpg.json"), JSON.stringify(by([key])));
        const pulled = await teu(["pull", "-q", "--signature-policy", at("gpg.json"), `${image}:v1`]);
        assert.equal(pulled.code, code, pulled.stderr);
      }
    } finally {
      for (const place of places) rmSync(join(place, "gpg.yaml"));
      await run("/usr/bin/gpgconf", ["--homedir", home, "--kill", "all"]);
    }
  },
);

test(
  "cosign: verifies what we sign, and we what it signs, in both formats",
  {
    skip: skip ?? (COSIGN === undefined ? "cosign is not in PATH" : undefined),
  },
  async () => {
    const cosign = (...argv: readonly string[]): Promise<{ stdout: string }> =>
      run(COSIGN ?? "", argv, { timeout: 60_000, env: { ...process.env, ...PASSWORD, HOME: host.directory } });
    const digestOf = async (image: string): Promise<string> => `${image}@${await host.ok(["digest", `${image}:v1`])}`;
    const insecure = ["--allow-insecure-registry", "--allow-http-registry"];
    for (const [format, flag] of [
      ["bundle", "--new-bundle-format=true"],
      ["tag", "--new-bundle-format=false"],
    ] as const) {
      const ours = await digestOf(await pushed(`ours-${format}`));
      await sign(ours, "--output-format", format, "-a", "build=42");
      const check = ["verify", flag, ...insecure, "--insecure-ignore-tlog=true", "-a", "build=42"];
      await cosign(...check, "--key", at("own.pub"), ours);
      await assert.rejects(cosign(...check, "--key", at("other.pub"), ours));
      const theirs = await digestOf(await pushed(`theirs-${format}`));
      const options = [flag, "--tlog-upload=false", "--use-signing-config=false", "-y", "-a", "build=42", ...insecure];
      await cosign("sign", ...options, "--key", at("own.key"), theirs);
      const verified = await teu(["verify", "--key", at("own.pub"), "-a", "build=42", theirs]);
      assert.equal(verified.code, 0, verified.stderr);
      assert.match(verified.stdout, new RegExp(`signed \\(${format}\\)`));
      assert.equal((await teu(["verify", "--key", at("other.pub"), theirs])).code, 12);
    }
  },
);
