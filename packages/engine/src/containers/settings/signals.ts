// Signals as people write them. Numbers are Linux's on this architecture.

import { constants } from "node:os";

import { TeuError } from "@teu/base/errors";

/** SIGRTMIN as glibc and every runtime count it. */
const RTMIN = 34;
const RTMAX = 64;

/**
 * The number of a signal: "TERM", "sigterm", "15", "RTMIN+3".
 * @throws TeuError `invalid`.
 */
export function parseSignal(text: string): number {
  const upper = text.trim().toUpperCase();
  const name = upper.startsWith("SIG") ? upper.slice(3) : upper;
  const realtime = /^RT(MIN\+|MAX-)?(MIN|MAX|\d{1,2})$/.exec(name);
  const number = /^\d{1,2}$/.test(name)
    ? Number(name)
    : realtime === null
      ? (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`]
      : realtimeNumber(realtime[1], realtime[2] ?? "");
  if (number !== undefined && number >= 1 && number <= RTMAX) return number;
  throw new TeuError({
    code: "invalid",
    op: "read signal",
    subject: text,
    message: "there is no such signal",
    hint: "use a name like TERM or a number from 1 to 64",
  });
}

function realtimeNumber(base: string | undefined, rest: string): number | undefined {
  if (base === undefined) return rest === "MIN" ? RTMIN : rest === "MAX" ? RTMAX : undefined;
  const offset = Number(rest);
  if (Number.isNaN(offset)) return undefined;
  const number = base === "MIN+" ? RTMIN + offset : RTMAX - offset;
  return number >= RTMIN && number <= RTMAX ? number : undefined;
}
