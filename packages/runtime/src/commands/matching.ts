// --regex of kill and delete (crun's): the operand is a regular expression over container ids, and all that match are meant.
// portable: no host types here.

import type { Kernel } from "@teu/sys/kernel";
import type { Flag, FlagValues } from "../cli/flags.ts";
import { verbatim } from "../failure.ts";
import { containerIds } from "../container/record.ts";

/** The flag. */
export const REGEX: Flag = {
  name: "regex",
  aliases: ["r"],
  kind: "boolean",
  doc: "the container id is a regular expression (several containers)",
};

/** Does `act` for the container named, or for all that match; every one gets its turn, then the first failure is thrown. */
export function forEachNamed(
  kernel: Kernel,
  root: string,
  flags: FlagValues,
  operand: string,
  act: (id: string) => void,
): void {
  if (!flags.boolean(REGEX.name)) return act(operand);
  const pattern = parsePattern(operand);
  const failures: unknown[] = [];
  for (const id of containerIds(kernel, root).filter((one) => pattern.test(one))) {
    try {
      act(id);
    } catch (error) {
      if (kernel.simulation?.isEnd(error) === true) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw verbatim("invalid", `invalid regular expression ${JSON.stringify(text)}`);
  }
}
