// key public: the public half of a private key.

import type { Command } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { jsonOption, wantsJson } from "../options/json-format.ts";
import { privateKeyFrom } from "../signing/key-files.ts";

/** `teu key public`. */
export const command: Command = {
  usage: "public [OPTIONS] --key FILE",
  summary: "Show the public key of a private key",
  options: [
    jsonOption("say the public key in PEM"),
    { long: "key", value: "file", help: 'Private key: a file, or "env://NAME"' },
  ],
  args: [0, 0],
  examples: ["teu key public --key cosign.key > cosign.pub"],
  run: async (context, input) => {
    const json = wantsJson(input);
    const key = input.text("key");
    if (key === undefined) throw usageError("--key is missing", { fallback: "write --key FILE" });
    const { pem } = (await privateKeyFrom(context, key)).publicKey;
    context.io.stdout.write(json ? `${JSON.stringify({ key, pem })}\n` : pem);
    return 0;
  },
};
