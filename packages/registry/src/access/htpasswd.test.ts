import assert from "node:assert/strict";
import { argon2Sync } from "node:crypto";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { hashSync } from "bcryptjs";

import { parseHtpasswd } from "./htpasswd.ts";
import { isPasswordOf, nobodysHash } from "./password-hash.ts";

const GOOD = hashSync("pw", 4);
const ARGON2 = argon2Text("password");

function argon2Text(password: string): string {
  const nonce = Buffer.from("saltsalt");
  const tag = argon2Sync("argon2id", {
    message: Buffer.from(password),
    nonce,
    parallelism: 1,
    tagLength: 24,
    memory: 64,
    passes: 1,
  });
  const text = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");
  return `$argon2id$v=19$m=64,t=1,p=1$${text(nonce)}$${text(tag)}`;
}

test("isPasswordOf: bcrypt and argon2id; nobody's hash costs the same and has no password", () => {
  for (const [hash, right] of [
    [GOOD, "pw"],
    [ARGON2, "password"],
    // From the test suite of the reference implementation.
    ["$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"],
  ] as const) {
    assert.equal(isPasswordOf(right, hash), true, hash);
    assert.equal(isPasswordOf(`${right}x`, hash), false, hash);
  }
  assert.match(nobodysHash([GOOD, GOOD.replace("$04$", "$06$")]), /^\$2b\$06\$/);
  assert.match(nobodysHash([GOOD, ARGON2]), /^\$argon2id\$v=19\$m=64,t=1,p=1\$c2FsdHNhbHQ\$A{43}$/);
  for (const hash of [nobodysHash([GOOD]), nobodysHash([ARGON2])]) assert.equal(isPasswordOf("", hash), false);
});

test("parseHtpasswd: users with hashes of all kinds, comments, empty lines, CRLF", () => {
  const text = `# users\n\nann:${GOOD}\r\nbob:${GOOD.replace("$2b$", "$2y$")}\nc d:${GOOD.replace("$2b$", "$2a$")}\neve:${ARGON2}`;
  assert.deepEqual([...parseHtpasswd("f", text).keys()], ["ann", "bob", "c d", "eve"]);
});

const WRONG: readonly (readonly [string, string, RegExp])[] = [
  [
    "MD5",
    "ann:$apr1$abc$0123456789012345678901",
    /line 1: the password of user "ann" is not hashed with bcrypt or argon2id: it is MD5/,
  ],
  ["SHA-1", `# x\nbob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=`, /line 2: .*"bob".* SHA-1/],
  ["crypt", "ann:rqXexS6ZhobKA", /crypt/],
  ["sha512crypt", "ann:$6$salt$hash", /crypt/],
  ["plain text", "ann:secret password", /plain text/],
  ["a bcrypt hash cut short", `ann:${GOOD.slice(0, -1)}`, /damaged/],
  ["no colon", "ann", /want "user:hash"/],
  ["no name", `:${GOOD}`, /want "user:hash"/],
  ["a user twice", `ann:${GOOD}\nann:${GOOD}`, /line 2: user "ann" is there twice/],
  ["a cost that takes minutes", `ann:${GOOD.replace("$04$", "$20$")}`, /user "ann" has the bcrypt cost 20/],
  ["a cost that is none", `ann:${GOOD.replace("$04$", "$00$")}`, /user "ann" has the bcrypt cost 0/],
  ["argon2i", "ann:$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", /unknown kind of argon2/],
  ["argon2id that takes a gigabyte", `ann:${ARGON2.replace("m=64", "m=1048576")}`, /argon2id parameters beyond/],
  ["argon2id without passes", `ann:${ARGON2.replace("t=1", "t=0")}`, /argon2id parameters beyond/],
  ["no user at all", "# nobody\n", /names no user/],
];
for (const [name, text, message] of WRONG) {
  test(`parseHtpasswd: invalid when there is ${name}; no hash is shown`, () => {
    assert.throws(
      () => parseHtpasswd("/etc/users", text),
      (error) =>
        isTeuError(error, "invalid") &&
        message.test(error.message) &&
        error.message.includes("/etc/users") &&
        !/secret|W6ph|rqXe|01234567/.test(error.message) &&
        /htpasswd -B/.test(error.hint ?? ""),
    );
  });
}
