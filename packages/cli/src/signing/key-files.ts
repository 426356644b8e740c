// Keys on the command line: files, or with "env://NAME" what an environment variable holds; and the password of private ones.

import { TeuError } from "@teu/base/errors";
import { readLimitedFile } from "@teu/distribution/signing/limited-file";
import { LARGEST_KEY_FILE } from "@teu/distribution/signing/pem";
import { loadPrivateKey, type PrivateKey } from "@teu/distribution/signing/private-key";
import { parsePublicKey, type PublicKey } from "@teu/distribution/signing/public-key";
import { fileError } from "@teu/files/addon";
import type { CommandContext } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { ask } from "../terminal/prompt.ts";

const VARIABLE = "env://";

/** A private key, its password asked for when it has one. */
export async function privateKeyFrom(context: CommandContext, name: string): Promise<PrivateKey> {
  return about(name, async () =>
    loadPrivateKey(await keyText(name), () => keyPassword(context, `Password of ${name}: `)),
  );
}

/** A public key. */
export async function publicKeyFrom(name: string): Promise<PublicKey> {
  return about(name, async () => parsePublicKey(await keyText(name)));
}

/** COSIGN_PASSWORD, empty too, else what is typed. */
export async function keyPassword(context: CommandContext, question: string): Promise<string> {
  const given = context.environment.keyPassword;
  if (given !== undefined) return given;
  return ask(context, question, { hidden: true, hint: "set COSIGN_PASSWORD" });
}

async function keyText(name: string): Promise<string> {
  if (name.startsWith(VARIABLE)) {
    const text = process.env[name.slice(VARIABLE.length)];
    if (text !== undefined) return text;
    throw new TeuError({ code: "not-found", op: "read key", subject: name, message: "no such environment variable" });
  }
  if (/^[a-z0-9]+:\/\//.test(name))
    throw usageError(`keys of ${JSON.stringify(name.slice(0, name.indexOf(":")))} cannot be used`, {
      fallback: "give a file, or env://NAME",
    });
  try {
    return Buffer.from(await readLimitedFile(name, LARGEST_KEY_FILE)).toString("utf8");
  } catch (error) {
    throw fileError("read key", name, error);
  }
}

// Errors of the content do not know what the content is of.
async function about<T>(subject: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TeuError) || error.subject !== undefined || error.detail["usage"] === true) throw error;
    const { code, op, what: message, hint, cause } = error;
    throw new TeuError({ code, op, subject, message, ...(hint === undefined ? {} : { hint }), cause });
  }
}
