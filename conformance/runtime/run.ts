// Runs the black-box cases against one runtime: node conformance/runtime/run.ts --runtime PATH [--only TEXT]... Prints TAP; exit 1 on failure.
// --without-openat2: under a filter that answers openat2 with ENOSYS.
// Works in a mount namespace of its own, and gives crun, which wants every controller on v1 in a hybrid layout, a hugetlb mount there.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmdirSync } from "node:fs";
import { basename } from "node:path";
import { Bench, type RuntimeCase, Skip } from "./case.ts";
import { cases as sockets } from "./callers/sockets.ts";
import { cases as texts } from "./callers/texts.ts";
import { cases as cgroups } from "./cgroups/limits.ts";
import { cases as unified } from "./cgroups/unified.ts";
import { cases as attributes } from "./filesystem/attributes.ts";
import { cases as idmap } from "./filesystem/idmap.ts";
import { cases as links } from "./filesystem/links.ts";
import { cases as filesystem } from "./filesystem/mounts.ts";
import { cases as hooks } from "./hooks/order.ts";
import { cases as checkpoint } from "./lifecycle/checkpoint.ts";
import { cases as lifecycle } from "./lifecycle/states.ts";
import { cases as namespaces } from "./namespaces/isolation.ts";
import { cases as filter } from "./process/filter.ts";
import { cases as network } from "./namespaces/network.ts";
import { cases as user } from "./namespaces/user.ts";
import { cases as process_ } from "./process/identity.ts";
import { cases as rootlessDelegation } from "./rootless/delegation.ts";
import { cases as rootlessLife } from "./rootless/life.ts";
import { cases as rootlessNested } from "./rootless/nested.ts";
import { cases as rootlessSetup } from "./rootless/setup.ts";
import { cases as labels } from "./process/labels.ts";
import { cases as notify } from "./process/notify.ts";
import { cases as scheduling } from "./process/scheduling.ts";
import { cases as settings } from "./process/settings.ts";
import { cases as breakout } from "./security/breakout.ts";
import { cases as documents } from "./security/documents.ts";
import { cases as gained } from "./security/gained.ts";
import { cases as paths } from "./security/paths.ts";
import { cases as privileges } from "./security/privileges.ts";
import { cases as records } from "./security/records.ts";
import { cases as steal } from "./security/steal.ts";
import { cases as swaps } from "./security/swaps.ts";
import { takesFilter, withoutOpenat2 } from "./without-openat2.ts";

/** Every case, by property. */
export const ALL: readonly RuntimeCase[] = [
  ...lifecycle,
  ...checkpoint,
  ...process_,
  ...filter,
  ...labels,
  ...notify,
  ...scheduling,
  ...settings,
  ...filesystem,
  ...attributes,
  ...idmap,
  ...links,
  ...namespaces,
  ...network,
  ...user,
  ...cgroups,
  ...unified,
  ...hooks,
  ...breakout,
  ...paths,
  ...privileges,
  ...gained,
  ...records,
  ...documents,
  ...steal,
  ...swaps,
  ...rootlessSetup,
  ...rootlessLife,
  ...rootlessNested,
  ...rootlessDelegation,
  ...sockets,
  ...texts,
];

/** One case's result. */
export interface Result {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  readonly reason: string;
}

/** Runs one case in a bench of its own. */
export function runCase(one: RuntimeCase, runtime: string): Result {
  const name = one.cve === undefined ? one.name : `${one.name} (${one.cve})`;
  const bench = new Bench(runtime);
  try {
    one.run(bench);
    return { name, status: "passed", reason: "" };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { name, status: error instanceof Skip ? "skipped" : "failed", reason };
  } finally {
    bench.dispose();
  }
}

const HUGETLB = "/sys/fs/cgroup/hugetlb";

function prepareFor(runtime: string): () => void {
  const needed =
    basename(realpathSync(runtime)).startsWith("crun") &&
    existsSync("/sys/fs/cgroup/memory") &&
    !existsSync(`${HUGETLB}/tasks`);
  if (!needed) return () => {};
  mkdirSync(HUGETLB, { recursive: true });
  spawnSync("mount", ["-t", "cgroup", "-o", "hugetlb", "cgroup", HUGETLB]);
  const before = new Set(readdirSync(HUGETLB));
  return () => {
    // A cgroup that a runtime leaves there keeps the controller away from everybody for as long as the machine runs.
    for (const name of readdirSync(HUGETLB).filter((entry) => !before.has(entry)))
      spawnSync("find", [`${HUGETLB}/${name}`, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
    spawnSync("umount", [HUGETLB]);
    // Somebody else's may use it in another mount namespace: the directory is on a file system of everybody's.
    try {
      rmdirSync(HUGETLB);
    } catch (error) {
      if (!["ENOENT", "EBUSY", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  };
}

function main(argv: readonly string[]): number {
  const option = (name: string): string | undefined => (argv.includes(name) ? argv[argv.indexOf(name) + 1] : undefined);
  const given = option("--runtime") ?? process.env["RUNTIME"];
  if (given === undefined || !existsSync(given)) {
    console.error("usage: run.ts --runtime PATH [--only TEXT]... [--without-openat2]");
    return 2;
  }
  const filtered = argv.includes("--without-openat2");
  const runtime = filtered ? withoutOpenat2(given, "ENOSYS") : given;
  const undo = prepareFor(given);
  let failed = 0;
  try {
    const only = argv.flatMap((word, index) => (word === "--only" ? [argv[index + 1] ?? ""] : []));
    const chosen = ALL.filter((one) => !filtered || takesFilter(one)).filter(
      ({ name, cve }) => only.length === 0 || only.some((text) => `${name} (${cve})`.includes(text)),
    );
    console.log(`TAP version 13\n1..${chosen.length}`);
    for (const [index, one] of chosen.entries()) {
      const { name, status, reason } = runCase(one, runtime);
      if (status === "failed") failed++;
      const tail = status === "skipped" ? ` # SKIP ${reason}` : "";
      console.log(`${status === "failed" ? "not ok" : "ok"} ${index + 1} - ${name}${tail}`);
      if (status === "failed") console.log(`  ---\n  reason: ${JSON.stringify(reason)}\n  ...`);
    }
  } finally {
    undo();
  }
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) {
  const private_ = readFileSync("/proc/self/environ", "utf8").includes("TEU_CONFORMANCE_NAMESPACE=1");
  if (private_) process.exitCode = main(process.argv.slice(2));
  else {
    const again = spawnSync(
      "unshare",
      ["--mount", "--propagation", "private", process.execPath, ...process.argv.slice(1)],
      {
        stdio: "inherit",
        env: { ...process.env, TEU_CONFORMANCE_NAMESPACE: "1" },
      },
    );
    process.exitCode = again.status ?? 1;
  }
}
