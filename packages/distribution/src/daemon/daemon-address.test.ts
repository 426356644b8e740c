import assert from "node:assert/strict";
import { test } from "node:test";

import { daemonAddress } from "./daemon-address.ts";

test("daemonAddress: as Docker's client reads the variables", () => {
  const tls = { certificates: "/root/.docker", verify: true };
  const cases: readonly [env: Record<string, string>, kind: string, where: string, tls?: object][] = [
    [{}, "unix", "/var/run/docker.sock"],
    [{ DOCKER_HOST: "" }, "unix", "/var/run/docker.sock"],
    [{ DOCKER_HOST: "unix:///tmp/x.sock" }, "unix", "/tmp/x.sock"],
    [{ DOCKER_HOST: "tcp://127.0.0.1:1234" }, "tcp", "http://127.0.0.1:1234/"],
    [{ DOCKER_HOST: "tcp://daemon" }, "tcp", "http://daemon:2375/"],
    [{ DOCKER_HOST: "tcp://daemon", DOCKER_TLS_VERIFY: "1", HOME: "/root" }, "tcp", "https://daemon:2376/", tls],
    [
      { DOCKER_HOST: "tcp://daemon", DOCKER_TLS: "1", DOCKER_CERT_PATH: "/c" },
      "tcp",
      "https://daemon:2376/",
      { certificates: "/c", verify: false },
    ],
    [
      { DOCKER_HOST: "https://daemon:9", DOCKER_CONFIG: "/d" },
      "tcp",
      "https://daemon:9/",
      { certificates: "/d", verify: false },
    ],
  ];
  for (const [env, kind, where, wanted] of cases) {
    const found = daemonAddress(env);
    assert.equal(found.kind, kind, JSON.stringify(env));
    assert.equal(found.kind === "unix" ? found.path : found.url.href, where);
    assert.deepEqual(found.kind === "tcp" ? found.tls : undefined, wanted);
  }
  assert.deepEqual(daemonAddress({ DOCKER_HOST: "tcp://x" }, "unix:///y"), { kind: "unix", path: "/y" });
});

test("daemonAddress: others are refused by name", () => {
  for (const [text, code] of [
    ["ssh://user@host", "unsupported"],
    ["npipe:////./pipe/x", "unsupported"],
    ["unix://relative", "invalid"],
    ["daemon:2375", "invalid"],
    ["tcp://", "invalid"],
    ["tcp://user:secret@host", "invalid"],
  ] as const)
    assert.throws(() => daemonAddress({ DOCKER_HOST: text }), { code }, text);
});
