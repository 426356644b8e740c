// The flag that names another signature policy than the host's.

import { resolve } from "node:path";
import type { CommandInput, OptionSpec } from "../command.ts";

/** Flag of every command that fetches images to be used. */
export const POLICY_OPTION: OptionSpec = {
  long: "signature-policy",
  value: "file",
  help: "Policy that says which images are taken (default: the host's policy.json)",
};

/** What the flag says, as an engine wants it. */
export function policyOf(input: CommandInput): { readonly signaturePolicy?: string } {
  const file = input.text("signature-policy");
  return file === undefined ? {} : { signaturePolicy: resolve(file) };
}
