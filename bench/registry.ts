// What does a request cost our registry, beside docker-registry: manifest GET, blob GET and PUT, in server CPU and in wall time?
// CPU per operation is the sound figure on a shared machine. wrk and curl are needed; both keep their data
// in the same directory, on tmpfs where /dev/shm is one. Ours is run as users run it, from the bundle.
// Command: npm run bench -- registry

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "@teu/image/digest";
import { MEDIA_TYPES } from "@teu/specs/image";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";
import { randomBytes } from "@teu/testkit/random-image";
import { rawRequest } from "@teu/testkit/raw-http";

const ROUNDS = 5;
const BLOB_MB = 200;
const TICKS_PER_SECOND = 100;

const TEU = join(import.meta.dirname, "../bin/teu");

interface Contestant extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

async function teu(directory: string): Promise<Contestant> {
  const child = spawn(TEU, ["registry", "serve", "--addr", "127.0.0.1:0", "--root", join(directory, "root")], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return {
    name: "teu",
    url: line.toString().replace("listening on ", "").trim(),
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function docker(directory: string): Promise<Contestant> {
  const registry = await DockerRegistry.start({ parent: directory });
  return {
    name: "docker-registry",
    url: registry.url,
    pid: registry.pid,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function memory(pid: number, key: "VmRSS" | "VmHWM"): number {
  return Math.round(
    Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0") / 1024,
  );
}

// Median CPU and wall seconds of several runs.
function measure(pid: number, body: () => void): { cpu: number; wall: number } {
  const runs = Array.from({ length: ROUNDS }, () => {
    const [cpu, wall] = [cpuSeconds(pid), performance.now()];
    body();
    return { cpu: cpuSeconds(pid) - cpu, wall: (performance.now() - wall) / 1000 };
  });
  const median = (key: "cpu" | "wall"): number => runs.map((one) => one[key]).sort((a, b) => a - b)[ROUNDS >> 1] ?? 0;
  return { cpu: median("cpu"), wall: median("wall") };
}

async function pushManifest(url: string): Promise<string> {
  const config = "{}";
  const start = await rawRequest(`${url}/v2/bench/blobs/uploads/`, { method: "POST" });
  const location = new URL(start.headers.location ?? "", url);
  location.searchParams.set("digest", digestOf(config));
  await rawRequest(location.href, { method: "PUT", body: config });
  const layers = Array.from({ length: 10 }, () => ({
    mediaType: MEDIA_TYPES.config,
    digest: digestOf(config),
    size: 2,
  }));
  const body = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, config: layers[0], layers });
  const put = await rawRequest(`${url}/v2/bench/manifests/latest`, {
    method: "PUT",
    headers: { "content-type": MEDIA_TYPES.manifest },
    body,
  });
  if (put.status !== 201) throw new Error(`manifest: ${put.status} ${put.text}`);
  return digestOf(body);
}

function manifestRate(pid: number, target: string): { rate: number; cpuMs: number } {
  const runs = Array.from({ length: ROUNDS }, () => {
    const before = cpuSeconds(pid);
    const output = execFileSync("wrk", ["-t1", "-c16", "-d3s", target], { encoding: "utf8" });
    const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? "1");
    return {
      rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? "0"),
      cpuMs: ((cpuSeconds(pid) - before) * 1000) / requests,
    };
  }).sort((a, b) => a.rate - b.rate);
  return runs[ROUNDS >> 1] ?? { rate: 0, cpuMs: 0 };
}

async function run(contestant: Contestant, directory: string): Promise<Record<string, string>> {
  const { name, url, pid } = contestant;
  const idle = memory(pid, "VmRSS");
  const digest = await pushManifest(url);
  const byTag = manifestRate(pid, `${url}/v2/bench/manifests/latest`);
  const byDigest = manifestRate(pid, `${url}/v2/bench/manifests/${digest}`);
  const file = join(directory, "blob");
  const content = randomBytes("bench", BLOB_MB * 1_000_000);
  writeFileSync(file, content);
  const blob = digestOf(content);
  const curl = (...argv: readonly string[]): void =>
    void execFileSync("curl", ["-sSf", "-o", "/dev/null", ...argv], { stdio: ["ignore", "inherit", "inherit"] });
  let count = 0;
  const locations: string[] = [];
  for (let i = 0; i < ROUNDS; i++)
    locations.push((await rawRequest(`${url}/v2/bench/blobs/uploads/`, { method: "POST" })).headers.location ?? "");
  const put = measure(pid, () => {
    const location = new URL(locations[count++] ?? "", url);
    location.searchParams.set("digest", blob);
    curl("-X", "PUT", "-H", "Expect:", "-H", "Content-Type: application/octet-stream", "-T", file, location.href);
  });
  const get = measure(pid, () => curl(`${url}/v2/bench/blobs/${blob}`));
  const perMb = (seconds: number): string => `${((seconds * 1000) / BLOB_MB).toFixed(2)} ms/MB`;
  const speed = (seconds: number): string => `${Math.round(BLOB_MB / seconds)} MB/s`;
  return {
    name,
    "manifest by tag": `${Math.round(byTag.rate)}/s ${byTag.cpuMs.toFixed(3)} ms`,
    "by digest": `${Math.round(byDigest.rate)}/s ${byDigest.cpuMs.toFixed(3)} ms`,
    "blob PUT": `${speed(put.wall)} ${perMb(put.cpu)}`,
    "blob GET": `${speed(get.wall)} ${perMb(get.cpu)}`,
    "RSS idle, peak": `${idle}, ${memory(pid, "VmHWM")} MB`,
  };
}

const missing = ["/usr/bin/wrk", "/usr/bin/curl"].filter((program) => !existsSync(program));
if (missing.length > 0) {
  console.log(`registry: skipped, not installed: ${missing.join(", ")}`);
} else {
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "teu-bench-"));
  try {
    const rows: Record<string, string>[] = [];
    {
      await using ours = await teu(directory);
      rows.push(await run(ours, directory));
    }
    if (noDockerRegistry() === false) {
      await using theirs = await docker(directory);
      rows.push(await run(theirs, directory));
    }
    console.log(
      `${cpus().length} x ${cpus()[0]?.model ?? "?"}, node ${process.version}; medians of ${ROUNDS}; rate or speed, then server CPU per operation`,
    );
    console.table(Object.fromEntries(rows.map(({ name = "", ...row }) => [name, row])));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
