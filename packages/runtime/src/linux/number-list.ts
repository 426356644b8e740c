// Lists of numbers as cpuset(7) writes them, "0-3,7": CPUs and memory nodes. Pure.
// portable: no host types here.

import { invalidConfig } from "../failure.ts";

/** Far above any kernel's number of CPUs or nodes. */
const LAST = 65535;

/** The numbers, ascending; none for "". `at` is the JSON path. Throws TeuError `invalid`. */
export function parseNumberList(text: string, at: string): number[] {
  const numbers = new Set<number>();
  for (const part of text.trim() === "" ? [] : text.split(",")) {
    const match = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first || last > LAST)
      throw invalidConfig(at, `want a list like "0-3,7", have ${JSON.stringify(text)}`);
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}
