// key generate: a key pair to sign images with, in cosign's files.

import { rm, writeFile } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";
import { generateKeyPairFiles } from "@teu/distribution/signing/private-key";
import type { Command, CommandContext } from "../command.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { keyPassword } from "../signing/key-files.ts";

/** `teu key generate`. */
export const command: Command = {
  usage: "generate [OPTIONS]",
  summary: "Make a key pair to sign images with",
  description: [
    "An ECDSA P-256 key as `cosign generate-key-pair` makes it. The private key is encrypted with COSIGN_PASSWORD, or with a",
    "password that is asked for. Files that are there are never replaced.",
  ].join("\n"),
  options: [
    jsonOption("say where the keys are"),
    {
      long: "output-key-prefix",
      value: "string",
      help: 'Names of the files are PREFIX.key and PREFIX.pub (default "cosign")',
    },
  ],
  args: [0, 0],
  examples: ["teu key generate", "teu key generate --output-key-prefix release"],
  run: async (context, input) => {
    const json = wantsJson(input);
    const prefix = input.text("output-key-prefix") ?? "cosign";
    const files = await generateKeyPairFiles(await newPassword(context));
    await writeNew(`${prefix}.key`, files.privateKey, 0o600);
    try {
      await writeNew(`${prefix}.pub`, files.publicKey, 0o644);
    } catch (error) {
      await rm(`${prefix}.key`, { force: true });
      throw error;
    }
    const names = { privateKey: `${prefix}.key`, publicKey: `${prefix}.pub` };
    if (json) {
      context.print(JSON.stringify(names));
      return 0;
    }
    context.print(`Private key: ${names.privateKey}`);
    context.print(`Public key: ${names.publicKey}`);
    return 0;
  },
};

async function newPassword(context: CommandContext): Promise<string> {
  const password = await keyPassword(context, "Password for the private key: ");
  if (context.environment.keyPassword !== undefined) return password;
  if ((await keyPassword(context, "The same again: ")) === password) return password;
  throw new TeuError({ code: "invalid", op: "make key pair", message: "the passwords differ" });
}

async function writeNew(file: string, content: string, mode: number): Promise<void> {
  try {
    await writeFile(file, content, { flag: "wx", mode });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new TeuError({
      code: exists ? "already-exists" : "denied",
      op: "write key",
      subject: file,
      message: exists ? "there is a file already" : "it cannot be written",
      ...(exists ? { hint: "choose another --output-key-prefix" } : { cause }),
    });
  }
}
