// STOPSIGNAL: a signal's name or number.

import { constants } from "node:os";
import { dockerfileError, type Location } from "../dockerfile/location.ts";

const REALTIME = /^RTM(?:IN(?:\+\d{1,2})?|AX(?:-\d{1,2})?)$/;

/** @throws TeuError `invalid` for what is no signal of Linux. */
export function checkStopSignal(text: string, at: Location): void {
  const name = text.toUpperCase().replace(/^SIG/, "");
  const number = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  const known = Object.hasOwn(constants.signals, `SIG${name}`) || REALTIME.test(name) || (number >= 1 && number <= 64);
  if (!known)
    throw dockerfileError(at, `${JSON.stringify(text)} is not a signal`, { hint: 'write "SIGTERM", "TERM" or "15"' });
}
