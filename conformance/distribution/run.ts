// Runs the conformance program of distribution-spec (pinned in go.mod) against our registry and prints what came out.
//   node conformance/distribution/run.ts [--peer] [--version dev|1.1|1.0] [--sparse]
// --peer also runs it against docker-registry, beside ours. The exit code is 1 when ours has a failure. Needs Go.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs, promisify } from "node:util";
import { Registry } from "@teu/registry/registry";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";

const run = promisify(execFile);

interface Counts {
  readonly leaves: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly string[];
}

const { values } = parseArgs({
  options: {
    peer: { type: "boolean", default: false },
    version: { type: "string", default: "dev" },
    sparse: { type: "boolean", default: true },
  },
  allowNegative: true,
});

const directory = await mkdtemp(path.join(tmpdir(), "teu-conformance-"));
try {
  const program = path.join(directory, "conformance");
  await run("go", ["build", "-o", program, "github.com/opencontainers/distribution-spec/conformance"], {
    cwd: import.meta.dirname,
  });
  const ours = await ownCounts(program);
  const table: Record<string, Counts> = { teu: ours };
  const reason = values.peer ? noDockerRegistry() : "not asked for";
  if (reason === false) table["docker-registry"] = await peerCounts(program);
  else if (values.peer) console.log(`docker-registry: skipped, ${reason}`);
  print(table);
  process.exitCode = ours.failed === 0 ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function ownCounts(program: string): Promise<Counts> {
  await using registry = await Registry.listen({ root: path.join(directory, "registry"), sparse: values.sparse });
  return await conformance(program, registry.address, path.join(directory, "ours"));
}

async function peerCounts(program: string): Promise<Counts> {
  await using registry = await DockerRegistry.start();
  return await conformance(program, registry.address, path.join(directory, "peer"));
}

async function conformance(program: string, address: string, results: string): Promise<Counts> {
  const env = {
    ...process.env,
    OCI_REGISTRY: address,
    OCI_TLS: "disabled",
    OCI_VERSION: values.version,
    OCI_REPO1: "conformance/one",
    OCI_REPO2: "conformance/two",
    OCI_DATA_SPARSE: String(values.sparse),
    OCI_RESULTS_DIR: results,
  };
  // The program exits with 1 when a case fails: the report says which.
  await run(program, [], { env, cwd: directory, maxBuffer: 64 << 20, timeout: 600_000 }).catch(
    (error: { code?: unknown }) => {
      if (error.code !== 1) throw error;
    },
  );
  return leavesOf(await readFile(path.join(results, "junit.xml"), "utf8"));
}

// The report has the leaves of the tree of cases only; each says how it ended.
function leavesOf(junit: string): Counts {
  const cases = [...junit.matchAll(/<testcase name="([^"]*)"[^>]* status="([a-z]+)"/g)].map(
    ([, name = "", status = ""]) => ({ name, status }),
  );
  const failures = cases.filter(({ status }) => status === "failure" || status === "error").map(({ name }) => name);
  const passed = cases.filter(({ status }) => status === "passed").length;
  return {
    leaves: cases.length,
    passed,
    failed: failures.length,
    skipped: cases.length - passed - failures.length,
    failures,
  };
}

// Of peers only the counts: what fails there is for others to mend.
function print(table: Readonly<Record<string, Counts>>): void {
  console.log(`distribution-spec ${values.version}, leaf cases`);
  console.table(
    Object.fromEntries(
      Object.entries(table).map(([name, { leaves, passed, failed, skipped }]) => [
        name,
        { leaves, passed, failed, skipped },
      ]),
    ),
  );
  for (const failure of table["teu"]?.failures ?? []) console.log(`teu failed: ${failure}`);
}
