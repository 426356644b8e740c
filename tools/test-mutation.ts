// `npm run test:mutation`: takes each defence of tools/mutation/defences.ts away in a copy of the sources and looks whether the test
// or case that is named there fails, as it must; without the change it must pass. Needs root and a build. Arguments are parts of
// names of defences.

import type { Killer } from "./mutation/defence.ts";
import { DEFENCES } from "./mutation/defences.ts";
import { Mutant, type Verdict } from "./mutation/mutant.ts";

const wanted = process.argv.slice(2);
const chosen = DEFENCES.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
const nameOf = (killer: Killer): string => ("test" in killer ? `${killer.test}: ${killer.name}` : killer.case);
const before = new Map<string, Verdict>();
const start = performance.now();
let survived = 0;

using mutant = new Mutant();
for (const defence of chosen) {
  const { name, kill, seal } = defence;
  const key = nameOf(kill);
  if (!before.has(key)) before.set(key, await mutant.run(kill, true));
  const sane = before.get(key);
  const undo = mutant.apply(defence);
  let verdict: Verdict;
  try {
    verdict = await mutant.run(kill, seal !== false);
  } finally {
    undo();
  }
  const killed = sane === "passed" && verdict === "failed";
  if (!killed) survived++;
  const why = sane !== "passed" ? ` (without the change: ${sane})` : verdict === "failed" ? "" : ` (${verdict})`;
  console.log(`${killed ? "killed  " : "SURVIVED"} ${name.padEnd(32)} ${key}${why}`);
}
console.log(
  `${chosen.length - survived} of ${chosen.length} killed in ${((performance.now() - start) / 1000).toFixed(0)} s`,
);
process.exitCode = survived > 0 || chosen.length === 0 ? 1 : 0;
