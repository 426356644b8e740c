import assert from "node:assert/strict";
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { createScope } from "@teu/base/scope";
import { tempRoot } from "@teu/testkit/temp-root";

import { AUTH_FILES, type Credential, credentialFiles, CredentialStore } from "./credentials.ts";

const scope = createScope();
const auth = (text: string): string => Buffer.from(text).toString("base64");

async function withConfig(
  config: unknown,
  body: (store: CredentialStore, file: string, join: (...parts: string[]) => string) => Promise<void>,
): Promise<void> {
  await using root = await tempRoot();
  const file = root.join("docker", "config.json");
  await mkdir(root.join("docker"));
  await writeFile(file, typeof config === "string" ? config : JSON.stringify(config));
  await body(new CredentialStore([file]), file, (...parts) => root.join(...parts));
}

test("credentialFiles: knows Docker's and Podman's places", () => {
  assert.deepEqual(credentialFiles({ HOME: "/h" }), [
    "/h/.docker/config.json",
    "/h/.config/containers/auth.json",
    "/h/.dockercfg",
  ]);
  assert.deepEqual(
    credentialFiles({ HOME: "/h", DOCKER_CONFIG: "/d", XDG_RUNTIME_DIR: "/r", REGISTRY_AUTH_FILE: "/a" }),
    ["/a", "/d/config.json", "/r/containers/auth.json", "/h/.config/containers/auth.json", "/h/.dockercfg"],
  );
  assert.deepEqual(credentialFiles({ HOME: "/h", XDG_CONFIG_HOME: "/c" }), [
    "/h/.docker/config.json",
    "/c/containers/auth.json",
    "/h/.dockercfg",
  ]);
  assert.deepEqual(credentialFiles({}), []);
});

test("CredentialStore.find: reads every form of key and entry", async () => {
  const auths = {
    "https://index.docker.io/v1/": { auth: auth("hub:pw") },
    "https://old.example/v2/": { auth: auth("old:with:colons\0\0") },
    "host:5000": { username: "plain", password: "text" },
    "token.example": { identitytoken: "refresh" },
    "bearer.example": { registrytoken: "a.b.c", auth: auth("not:this") },
    "narrow.example": { auth: auth("wide:1") },
    "narrow.example/team": { auth: auth("team:2") },
    "empty.example": {},
    "broken.example": { auth: "bm9jb2xvbg==" },
  };
  await withConfig({ auths }, async (store) => {
    const cases: readonly [string, string, Credential | null][] = [
      ["docker.io", "library/busybox", { username: "hub", password: "pw" }],
      ["old.example", "", { username: "old", password: "with:colons" }],
      ["host:5000", "", { username: "plain", password: "text" }],
      ["host:5001", "", null],
      ["token.example", "", { identityToken: "refresh" }],
      ["bearer.example", "", { registryToken: "a.b.c" }],
      ["narrow.example", "team/app", { username: "team", password: "2" }],
      ["narrow.example", "teams/app", { username: "wide", password: "1" }],
      ["empty.example", "", null],
      ["broken.example", "", null],
    ];
    for (const [host, repository, want] of cases)
      assert.deepEqual(await store.find(scope, host, repository), want, host);
  });
});

test("CredentialStore: Docker's file from before 2015 is read last, and never written", async () => {
  await using root = await tempRoot();
  const legacy = root.join(".dockercfg");
  const content = JSON.stringify({ "https://old.example/v1/": { auth: auth("old:pw"), email: "me@old.example" } });
  await writeFile(legacy, content);
  const config = root.join("config.json");
  const store = new CredentialStore([config, legacy]);
  assert.deepEqual(await store.find(scope, "old.example"), { username: "old", password: "pw" });
  assert.equal(await store.store(scope, "old.example", { username: "new", password: "pw" }), config);
  assert.deepEqual(await store.find(scope, "old.example"), { username: "new", password: "pw" });
  assert.deepEqual(await store.erase(scope, "old.example"), [config]);
  assert.equal(await readFile(legacy, "utf8"), content);
  await assert.rejects(new CredentialStore([legacy]).store(scope, "x.example", { username: "a", password: "b" }));
  assert.equal(await readFile(legacy, "utf8"), content);
});

test("CredentialStore: a registry token that would end its header is refused", async () => {
  await withConfig({ auths: { "x.example": { registrytoken: "a\r\nb: c" } } }, async (store) => {
    await assert.rejects(store.find(scope, "x.example"), (error) => isTeuError(error, "invalid"));
  });
});

test("CredentialStore.store, erase: keep what else is in the file, for the owner's eyes only", async () => {
  await withConfig(
    { auths: { "a.example": { auth: auth("a:1"), other: 5 } }, proxies: { x: 1 } },
    async (store, file) => {
      await store.store(scope, "docker.io", { username: "me", password: "pw" });
      await store.store(scope, "b.example", { identityToken: "t" });
      const written = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
      assert.deepEqual(written["proxies"], { x: 1 });
      assert.deepEqual(Object.keys(written["auths"] as object), [
        "a.example",
        "https://index.docker.io/v1/",
        "b.example",
      ]);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      assert.deepEqual(await store.find(scope, "docker.io"), { username: "me", password: "pw" });
      assert.deepEqual(await store.find(scope, "b.example"), { identityToken: "t" });
      assert.deepEqual(await store.erase(scope, "docker.io"), [file]);
      assert.deepEqual(await store.erase(scope, "docker.io"), []);
      assert.deepEqual(await store.find(scope, "a.example"), { username: "a", password: "1" });
    },
  );
});

test("CredentialStore: files that cannot be understood are named; missing ones are none", async () => {
  for (const config of [
    "{",
    "[]",
    '{"auths":[]}',
    '{"auths":{"x":1}}',
    '{"credsStore":5}',
    '{"auths":{},"auths":{}}',
  ]) {
    await withConfig(config, (store, file) =>
      assert.rejects(store.find(scope, "x"), (error) => isTeuError(error, "invalid") && error.subject === file, config),
    );
  }
  await withConfig("", async (store) => assert.equal(await store.find(scope, "x"), null));
  assert.equal(await new CredentialStore(["/nowhere/config.json"]).find(scope, "x"), null);
  await assert.rejects(new CredentialStore([]).store(scope, "x", { identityToken: "t" }), (error) =>
    isTeuError(error, "invalid"),
  );
});

const HELPER = `#!/bin/sh
read input
case "$1 $input" in
"get good.example") echo '{"ServerURL":"good.example","Username":"me","Secret":"pw"}' ;;
"get token.example") echo '{"Username":"<token>","Secret":"refresh"}' ;;
"get odd.example") echo 'me pw' ;;
"get angry.example") echo 'vault is locked'; exit 2 ;;
"get huge.example") yes | head -c 1000000 ;;
"get slow.example") sleep 20 ;;
"get "*) echo 'credentials not found in native keychain'; exit 1 ;;
"store "*) echo "$input" > "$TEST_STORED" ;;
esac
`;

test("CredentialStore: asks helpers, with bounds", async () => {
  await withConfig(
    {
      credsStore: "test",
      credHelpers: { "missing.example": "not-there", "evil.example": "../../bin/sh" },
      auths: { "file.example": { auth: auth("f:1") } },
    },
    async (store, _file, join) => {
      await mkdir(join("bin"));
      await writeFile(join("bin", "docker-credential-test"), HELPER);
      await chmod(join("bin", "docker-credential-test"), 0o755);
      const { PATH } = process.env;
      process.env["PATH"] = `${join("bin")}:${PATH}`;
      process.env["TEST_STORED"] = join("stored");
      try {
        assert.deepEqual(await store.find(scope, "good.example"), { username: "me", password: "pw" });
        assert.deepEqual(await store.find(scope, "token.example"), { identityToken: "refresh" });
        assert.equal(await store.find(scope, "none.example"), null);
        assert.deepEqual(await store.find(scope, "file.example"), { username: "f", password: "1" });
        await assert.rejects(
          store.find(scope, "odd.example"),
          (error) => isTeuError(error, "invalid") && !error.message.includes("pw"),
        );
        await assert.rejects(
          store.find(scope, "angry.example"),
          (error) => isTeuError(error, "unavailable") && /vault is locked/.test(error.message),
        );
        await assert.rejects(store.find(scope, "huge.example"), (error) => isTeuError(error));
        await assert.rejects(
          store.find(scope, "missing.example"),
          (error) => isTeuError(error, "unavailable") && error.hint !== undefined,
        );
        await assert.rejects(store.find(scope, "evil.example"), (error) => isTeuError(error, "invalid"));
        await assert.rejects(store.find(scope.withTimeout(100), "slow.example"), (error) =>
          isTeuError(error, "timeout"),
        );
        assert.equal(
          await store.store(scope, "new.example", { username: "me", password: "pw" }),
          "credential helper test",
        );
        assert.deepEqual(JSON.parse(await readFile(join("stored"), "utf8")), {
          ServerURL: "new.example",
          Username: "me",
          Secret: "pw",
        });
      } finally {
        process.env["PATH"] = PATH;
        delete process.env["TEST_STORED"];
      }
    },
  );
});

test("CredentialStore: helpers for every registry are asked in order, files in their turn", async () => {
  await withConfig({ auths: { "good.example": { auth: auth("file:1") } } }, async (_store, file, join) => {
    await mkdir(join("bin"));
    await writeFile(join("bin", "docker-credential-test"), HELPER);
    await chmod(join("bin", "docker-credential-test"), 0o755);
    const { PATH } = process.env;
    process.env["PATH"] = `${join("bin")}:${PATH}`;
    process.env["TEST_STORED"] = join("stored");
    const with_ = (...helpers: readonly string[]): CredentialStore => new CredentialStore([file], async () => helpers);
    try {
      const [ofHelper, ofFile] = [
        { username: "me", password: "pw" },
        { username: "file", password: "1" },
      ];
      assert.deepEqual(await with_("test", AUTH_FILES).find(scope, "good.example"), ofHelper);
      assert.deepEqual(await with_(AUTH_FILES, "test").find(scope, "good.example"), ofFile);
      // What does not work is passed over, and told when nobody knows better.
      assert.deepEqual(await with_("not-there", AUTH_FILES).find(scope, "good.example"), ofFile);
      await assert.rejects(with_("not-there", AUTH_FILES).find(scope, "none.example"), (error) =>
        isTeuError(error, "unavailable"),
      );
      assert.equal(await with_("test").find(scope, "none.example"), null);
      const credential = { username: "me", password: "pw" };
      assert.equal(await with_("not-there", "test").store(scope, "new.example", credential), "credential helper test");
      assert.equal(await with_("not-there", AUTH_FILES, "test").store(scope, "new.example", credential), file);
      assert.deepEqual(await with_("test", AUTH_FILES).erase(scope, "good.example"), ["credential helper test", file]);
      assert.equal(await with_(AUTH_FILES).find(scope, "good.example"), null);
    } finally {
      process.env["PATH"] = PATH;
      delete process.env["TEST_STORED"];
    }
  });
});

test("CredentialStore.store: says so where no directory can be made", async () => {
  const store = new CredentialStore(["/proc/nowhere/docker/config.json"]);
  await assert.rejects(
    store.store(scope, "a.example", { username: "me", password: "pw" }),
    (error) => isTeuError(error, "denied") && /file cannot be written/.test(error.message),
  );
});
