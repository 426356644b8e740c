import assert from "node:assert/strict";
import { test } from "node:test";
import { isTeuError } from "@teu/base/errors";
import { hashSync } from "bcryptjs";

import { bcryptCost, parseHtpasswd } from "./htpasswd.ts";

const GOOD = hashSync("pw", 4);

test("parseHtpasswd: users with bcrypt hashes of all three kinds, comments, empty lines, CRLF", () => {
  const text = `# users\n\nann:${GOOD}\r\nbob:${GOOD.replace("$2b$", "$2y$")}\nc d:${GOOD.replace("$2b$", "$2a$")}`;
  assert.deepEqual([...parseHtpasswd("f", text).keys()], ["ann", "bob", "c d"]);
  assert.equal(bcryptCost(GOOD), 4);
});

const WRONG: readonly (readonly [string, string, RegExp])[] = [
  [
    "MD5",
    "ann:$apr1$abc$0123456789012345678901",
    /line 1: the password of user "ann" is not hashed with bcrypt: it is MD5/,
  ],
  ["SHA-1", `# x\nbob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=`, /line 2: .*"bob".* SHA-1/],
  ["crypt", "ann:rqXexS6ZhobKA", /crypt/],
  ["sha512crypt", "ann:$6$salt$hash", /crypt/],
  ["plain text", "ann:secret password", /plain text/],
  ["a bcrypt hash cut short", `ann:${GOOD.slice(0, -1)}`, /damaged/],
  ["no colon", "ann", /want "user:hash"/],
  ["no name", `:${GOOD}`, /want "user:hash"/],
  ["a user twice", `ann:${GOOD}\nann:${GOOD}`, /line 2: user "ann" is there twice/],
  ["a cost that takes minutes", `ann:${GOOD.replace("$04$", "$20$")}`, /cost of user "ann" is 20/],
  ["a cost that is none", `ann:${GOOD.replace("$04$", "$00$")}`, /cost of user "ann" is 0/],
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
