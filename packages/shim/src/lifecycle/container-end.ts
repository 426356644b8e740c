// What an ended container leaves: the exit record, from how init ended or from what failed.
// portable: no host types here.

import type { TeuError } from "@teu/base/errors";
import type { Ending } from "../process/reaper.ts";
import { timestamp } from "../process/timestamp.ts";
import type { ExitRecord } from "../protocol.ts";

/** Why a container is over: its init ended, or it was never to run. */
export type EndCause =
  | { readonly kind: "ended"; readonly ending: Ending }
  | { readonly kind: "failed"; readonly error: TeuError; readonly at: bigint };

/** The record for `cause`. A container that could not be started has Docker's exit code for that: 126, 127 or 128. */
export function exitRecord(cause: EndCause, startedAt: string | null, oomKilled: boolean): ExitRecord {
  if (cause.kind === "ended") {
    const { code, signal, at } = cause.ending;
    return { code, signal, oomKilled, startedAt, finishedAt: timestamp(at), error: null };
  }
  const { exitCode } = cause.error.detail;
  const code = typeof exitCode === "number" ? exitCode : 128;
  return { code, signal: 0, oomKilled, startedAt, finishedAt: timestamp(cause.at), error: cause.error.message };
}
