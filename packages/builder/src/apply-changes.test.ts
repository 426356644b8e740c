// Instructions that change a config alone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyImageConfig } from "@teu/image/image-config";
import { applyChanges } from "./apply-changes.ts";

const EMPTY = emptyImageConfig({ os: "linux", architecture: "amd64" });

test("applyChanges: every instruction that Docker allows; later ones see earlier ones", () => {
  const { config } = applyChanges(EMPTY, [
    "ENV A=1 B=two",
    "ENV C=$A-${B}",
    'CMD ["sh", "-c"]',
    'ENTRYPOINT ["/init"]',
    "EXPOSE 80",
    'LABEL x="a b"',
    "USER app",
    "VOLUME /data",
    "WORKDIR /srv",
    "WORKDIR sub",
    "STOPSIGNAL SIGQUIT",
    "ONBUILD RUN true",
    "HEALTHCHECK NONE",
  ]);
  assert.deepEqual(config, {
    Env: ["A=1", "B=two", "C=1-two"],
    Cmd: ["sh", "-c"],
    Entrypoint: ["/init"],
    ExposedPorts: { "80/tcp": {} },
    Labels: { x: "a b" },
    User: "app",
    Volumes: { "/data": {} },
    WorkingDir: "/srv/sub",
    StopSignal: "SIGQUIT",
    OnBuild: ["RUN true"],
    Healthcheck: { Test: ["NONE"] },
  });
});

test("applyChanges: nothing to change changes nothing", () => {
  assert.equal(applyChanges(EMPTY, []), EMPTY);
});

test("applyChanges: says which change cannot be, and what can", () => {
  const allowed = { hint: /^use one of CMD, ENTRYPOINT, ENV, EXPOSE, .*WORKDIR$/ };
  assert.throws(() => applyChanges(EMPTY, ["USER app", "BOGUS x"]), {
    message: 'cannot change config "BOGUS": this is no instruction that changes the config alone',
    ...allowed,
  });
  for (const last of ["FROM other", "from other", "USER app\nFROM other"])
    assert.throws(() => applyChanges(EMPTY, [last]), { code: "invalid", subject: "FROM", ...allowed });
  assert.throws(() => applyChanges(EMPTY, ["USER app", "ENV"]), { message: /^cannot change config "ENV": ENV needs/ });
});

for (const change of ["RUN true", "COPY a b", "ADD a b", "FROM other", "ARG A", 'SHELL ["sh"]', "NOTHING x", "ENV"]) {
  test(`applyChanges: invalid when given ${JSON.stringify(change)}`, () => {
    assert.throws(() => applyChanges(EMPTY, ["USER app", change, "USER other"]), { code: "invalid" });
  });
}
