// What does a request cost our registry, beside docker-registry: manifest GET, blob GET and PUT, in server CPU and in wall time?
// CPU per operation is the sound figure on a shared machine. wrk and curl are needed; all keep their data in the same directory, on
// tmpfs where /dev/shm is one. "guarded" is ours with users, rules, metrics, access log and audit log; what it is asked for, anybody
// may have.
// Command: npm run bench -- registry

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "@teu/image/digest";
import { MEDIA_TYPES } from "@teu/specs/image";
import { noDockerRegistry } from "@teu/testkit/docker-registry";
import { randomBytes } from "@teu/testkit/random-image";

import { machineLine, median } from "./hyperfine.ts";
import { PlainClient, plainManifest } from "./registry-client.ts";
import { cost, cpuSeconds, ours, type Place, residentMemory, theirs } from "./registry-places.ts";

const ROUNDS = 5;
const BLOB_MB = 200;
/** docker-registry answers 404 without it. */
const ACCEPT = `Accept: ${MEDIA_TYPES.manifest}`;
/** Of "conformance": a password that nobody sends. */
const HASH = "$2b$05$MhIq0OrBv6LwcDcJ4Hfos.ImVek5AplsNY708Pza8eNyA9r8QVidO";

/** What was measured of one contestant, an entry per round. */
interface Samples {
  readonly tag: { rate: number; cpu: number }[];
  readonly digest: { rate: number; cpu: number }[];
  readonly put: { cpu: number; wall: number }[];
  readonly get: { cpu: number; wall: number }[];
  readonly idle: number;
}

async function guarded(directory: string): Promise<Place> {
  const config = {
    address: "127.0.0.1:0",
    root: join(directory, "guarded"),
    users: { htpasswd: join(directory, "users") },
    rules: [
      { repositories: ["**"], users: { ann: ["all"] } },
      { repositories: ["team/**"], groups: { devs: ["read", "create"] }, users: { ann: ["all"] } },
      { repositories: ["bench"], anonymous: ["read", "create", "update"], users: { ann: ["all"] } },
    ],
    groups: { devs: ["ann"] },
    immutable: [{ repositories: ["team/**"], tags: ["v*"] }],
    operations: { address: "127.0.0.1:0" },
    log: { access: join(directory, "access.log"), audit: join(directory, "audit.log") },
  };
  writeFileSync(join(directory, "users"), `ann:${HASH}\n`);
  writeFileSync(join(directory, "config.yaml"), JSON.stringify(config));
  return ours(directory, ["--config", join(directory, "config.yaml")], "ours, guarded");
}

function manifestRate(pid: number, target: string): { rate: number; cpu: number } {
  const before = cpuSeconds(pid);
  const output = execFileSync("wrk", ["-t1", "-c16", "-d2s", "-H", ACCEPT, target], { encoding: "utf8" });
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? "1");
  if (output.includes("Non-2xx")) throw new Error(output);
  return {
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? "0"),
    cpu: (cpuSeconds(pid) - before) / requests,
  };
}

function curl(...argv: readonly string[]): void {
  execFileSync("curl", ["-sSf", "-o", "/dev/null", ...argv], { stdio: ["ignore", "inherit", "inherit"] });
}

async function prepare({ url, pid }: Place): Promise<{ samples: Samples; manifest: string }> {
  const samples = { tag: [], digest: [], put: [], get: [], idle: residentMemory(pid, "VmRSS") };
  using client = new PlainClient(url);
  const manifest = plainManifest("latest");
  await client.pushBlob("bench", "{}");
  await client.pushManifest("bench", "latest", manifest);
  return { samples, manifest: digestOf(manifest) };
}

async function round(
  { url, pid }: Place,
  samples: Samples,
  manifest: string,
  file: string,
  blob: string,
): Promise<void> {
  samples.tag.push(manifestRate(pid, `${url}/v2/bench/manifests/latest`));
  samples.digest.push(manifestRate(pid, `${url}/v2/bench/manifests/${manifest}`));
  using client = new PlainClient(url);
  const target = await client.uploadTo("bench", blob);
  const put = ["-X", "PUT", "-H", "Expect:", "-H", "Content-Type: application/octet-stream", "-T", file, target];
  samples.put.push(await cost(pid, () => curl(...put)));
  samples.get.push(await cost(pid, () => curl(`${url}/v2/bench/blobs/${blob}`)));
}

function row({ pid }: Place, { tag, digest, put, get, idle }: Samples): Record<string, string> {
  const rate = (all: Samples["tag"]): string =>
    `${Math.round(median(all.map((one) => one.rate)))}/s ${(median(all.map((one) => one.cpu)) * 1000).toFixed(3)} ms`;
  const speed = (all: Samples["put"]): string => {
    const perMb = (median(all.map((one) => one.cpu)) * 1000) / BLOB_MB;
    return `${Math.round(BLOB_MB / median(all.map((one) => one.wall)))} MB/s ${perMb.toFixed(2)} ms/MB`;
  };
  return {
    "manifest by tag": rate(tag),
    "by digest": rate(digest),
    "blob PUT": speed(put),
    "blob GET": speed(get),
    "RSS idle, peak": `${idle}, ${residentMemory(pid, "VmHWM")} MB`,
  };
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "teu-bench-"));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rmSync(directory, { recursive: true, force: true }));
  const content = randomBytes("bench", BLOB_MB * 1_000_000);
  const [file, blob] = [join(directory, "blob"), digestOf(content)];
  writeFileSync(file, content);
  const places = [opened.use(await ours(directory)), opened.use(await guarded(directory))];
  if (noDockerRegistry() === false) places.push(opened.use(await theirs(directory)));
  const contestants = [];
  for (const place of places) contestants.push({ place, ...(await prepare(place)) });
  for (let i = 0; i < ROUNDS; i++)
    for (const { place, samples, manifest } of contestants) await round(place, samples, manifest, file, blob);
  console.log(machineLine());
  console.log(`node ${process.version}; medians of ${ROUNDS} rounds; rate or speed, then server CPU per operation`);
  console.table(Object.fromEntries(contestants.map(({ place, samples }) => [place.name, row(place, samples)])));
}

const missing = ["/usr/bin/wrk", "/usr/bin/curl"].filter((program) => !existsSync(program));
if (missing.length > 0) console.log(`registry: skipped, not installed: ${missing.join(", ")}`);
else await main();
