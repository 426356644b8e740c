// Runs the conformance program of distribution-spec (pinned in go.mod) against our registry and prints what came out.
//   node conformance/distribution/run.ts [--peer] [--version dev|1.1|1.0] [--no-sparse] [--access open|htpasswd|tokens|all]
// --peer also runs it against docker-registry, beside ours. --access says how ours is guarded: by a password file and rights
// of one user in two repositories, by tokens of its own server for that user, each way in turn, or (default) not at all.
// The exit code is 1 when ours fails a case, or skips one that is not to be skipped. Needs Go.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs, promisify } from "node:util";
import { Registry, type RegistryOptions } from "@teu/registry/registry";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";

const run = promisify(execFile);

interface Counts {
  readonly leaves: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** The cases that did not pass. */
  readonly others: readonly { readonly name: string; readonly status: string }[];
}

const { values } = parseArgs({
  options: {
    peer: { type: "boolean", default: false },
    version: { type: "string", default: "dev" },
    sparse: { type: "boolean", default: true },
    access: { type: "string", default: "open" },
  },
  allowNegative: true,
});

const USER = "ann";
const PASSWORD = "conformance";
const HASH = "$2b$05$/x5erGiY47cs9dph45FkO.SdVUrLTkcwp/oFCFShR0/zs30JJkXmi";
const REPOSITORIES = ["conformance/one", "conformance/two"] as const;

/**
 * Versions before dev leave cases out themselves. With tokens, the program asks for the rights of one repository at a time: a mount
 * from another one is then an upload, which it counts as skipped.
 */
const mayBeSkipped = (guard: string, name: string): boolean =>
  values.version !== "dev" || (guard === "tokens" && /\/mount( anonymous)?\//.test(name));

/** How ours may be guarded. */
const GUARDS: Readonly<Record<string, (htpasswd: string) => RegistryOptions>> = {
  open: () => ({}),
  htpasswd: (htpasswd) => ({ htpasswd, ...RIGHTS }),
  tokens: (htpasswd) => ({ htpasswd, ...RIGHTS, tokens: {} }),
};
const RIGHTS = {
  rules: [{ repositories: [...REPOSITORIES], users: { [USER]: ["read", "create", "update", "delete", "catalog"] } }],
} as const;

const guards = values.access === "all" ? Object.keys(GUARDS) : [values.access];
for (const guard of guards) if (!(guard in GUARDS)) throw new Error(`--access: there is no ${guard}`);
const directory = await mkdtemp(path.join(tmpdir(), "teu-conformance-"));
try {
  const program = path.join(directory, "conformance");
  await run("go", ["build", "-o", program, "github.com/opencontainers/distribution-spec/conformance"], {
    cwd: import.meta.dirname,
  });
  const ours: Record<string, Counts> = {};
  for (const guard of guards) ours[guard] = await ownCounts(program, guard);
  const reason = values.peer ? noDockerRegistry() : "not asked for";
  const peers: Record<string, Counts> = reason === false ? { "docker-registry": await peerCounts(program) } : {};
  if (values.peer && reason !== false) console.log(`docker-registry: skipped, ${reason}`);
  print(ours, peers);
  process.exitCode = Object.entries(ours).every(([guard, counts]) => isWell(guard, counts)) ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function ownCounts(program: string, guard: string): Promise<Counts> {
  const htpasswd = path.join(directory, "users");
  await writeFile(htpasswd, `${USER}:${HASH}\n`);
  await using registry = await Registry.listen({
    root: path.join(directory, `registry-${guard}`),
    sparse: values.sparse,
    ...GUARDS[guard]?.(htpasswd),
  });
  const login = { OCI_USERNAME: USER, OCI_PASSWORD: PASSWORD };
  return await conformance(
    program,
    registry.address,
    path.join(directory, `results-${guard}`),
    guard === "open" ? {} : login,
  );
}

async function peerCounts(program: string): Promise<Counts> {
  await using registry = await DockerRegistry.start();
  return await conformance(program, registry.address, path.join(directory, "results-peer"), {});
}

async function conformance(
  program: string,
  address: string,
  results: string,
  login: Readonly<Record<string, string>>,
): Promise<Counts> {
  const env = {
    ...process.env,
    OCI_REGISTRY: address,
    OCI_TLS: "disabled",
    OCI_VERSION: values.version,
    OCI_REPO1: REPOSITORIES[0],
    OCI_REPO2: REPOSITORIES[1],
    OCI_DATA_SPARSE: String(values.sparse),
    OCI_RESULTS_DIR: results,
    ...login,
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
  const failed = cases.filter(({ status }) => status === "failure" || status === "error").length;
  const others = cases.filter(({ status }) => status !== "passed");
  return {
    leaves: cases.length,
    passed: cases.length - others.length,
    failed,
    skipped: others.length - failed,
    others,
  };
}

function isWell(guard: string, { leaves, failed, others }: Counts): boolean {
  return leaves > 0 && failed === 0 && others.every(({ name }) => mayBeSkipped(guard, name));
}

// Of peers only the counts: what fails there is for others to mend.
function print(ours: Readonly<Record<string, Counts>>, peers: Readonly<Record<string, Counts>>): void {
  const named = Object.entries(ours).map(
    ([guard, counts]) => [guard === "open" ? "teu" : `teu, ${guard}`, counts] as const,
  );
  const rows = [...named, ...Object.entries(peers)].map(([name, { leaves, passed, failed, skipped }]) => [
    name,
    { leaves, passed, failed, skipped },
  ]);
  console.log(`distribution-spec ${values.version}, sparse indexes ${values.sparse ? "on" : "off"}, leaf cases`);
  console.table(Object.fromEntries(rows));
  for (const [name, { others }] of named)
    for (const other of others) console.log(`${name}: ${other.status}: ${other.name}`);
}
