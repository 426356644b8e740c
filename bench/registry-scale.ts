// Does a registry get slower or larger with what is in it? A push of a manifest beside 100, 1,000 and 10,000 tags and the list of
// these, and memory while 200 clients pull at once, beside docker-registry. Ours with 100,000 manifests: its start, its memory,
// its answers. wrk is needed; the data is on tmpfs where /dev/shm is one.
// Command: npm run bench -- registry-scale

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { noDockerRegistry } from "@teu/testkit/docker-registry";
import { randomBytes } from "@teu/testkit/random-image";

import { machineLine, median } from "./hyperfine.ts";
import { PlainClient, plainManifest } from "./registry-client.ts";
import { fillRegistry, PER_REPOSITORY, repositoryOf } from "./registry-fill.ts";
import { cost, ours, type Place, residentMemory, theirs } from "./registry-places.ts";

const TAGS = [100, 1000, 10_000];
const PUSHES = 400;
/** Tags that these pushes move, in turn. */
const MOVED = 50;
const LISTS = 30;
const CLIENTS = 200;
const PULL_SECONDS = 10;
const MANIFESTS = 100_000;
const STARTS = 5;

type Row = Record<string, string>;

/** Pushes beside so many tags, and the list of them. */
async function tagsRow({ url, pid }: Place): Promise<Row> {
  using client = new PlainClient(url);
  await client.pushBlob("tags", "{}");
  const row: Row = {};
  let [present, pushed] = [0, 0];
  for (const tags of TAGS) {
    const manifest = plainManifest("first");
    const more = async (): Promise<void> => {
      while (present < tags) await client.pushManifest("tags", `v${present++}`, manifest);
    };
    await Promise.all(Array.from({ length: 8 }, more));
    const { cpu } = await cost(pid, async () => {
      for (let i = 0; i < PUSHES; i++) await client.pushManifest("tags", `v${i % MOVED}`, plainManifest(`${pushed++}`));
    });
    row[`push, ${tags} tags`] = `${((cpu / PUSHES) * 1000).toFixed(2)} ms`;
  }
  const walls: number[] = [];
  const { cpu } = await cost(pid, async () => {
    for (let i = 0; i < LISTS; i++) {
      const { wall } = await cost(pid, () => client.send("GET", "/v2/tags/tags/list", 200));
      walls.push(wall);
    }
  });
  row["list of 10,000"] = `${((cpu / LISTS) * 1000).toFixed(1)} ms CPU, ${(median(walls) * 1000).toFixed(1)} ms`;
  return row;
}

/** Memory before, while and after many clients pull a layer each, again and again. */
async function pullsRow({ url, pid }: Place): Promise<Row> {
  using client = new PlainClient(url);
  const digest = await client.pushBlob("pulls", randomBytes("pulls", 20_000_000));
  const before = residentMemory(pid, "VmRSS");
  // From now on the most is counted anew (proc(5)).
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  const target = `${url}/v2/pulls/blobs/${digest}`;
  execFileSync("wrk", ["-t1", `-c${CLIENTS}`, `-d${PULL_SECONDS}s`, "--timeout", "60s", target]);
  const most = residentMemory(pid, "VmHWM");
  await sleep(2000);
  return { [`RSS before, during, after ${CLIENTS} pulls`]: `${before}, ${most}, ${residentMemory(pid, "VmRSS")} MB` };
}

async function startUp(argv: readonly string[]): Promise<number> {
  const began = performance.now();
  await using place = await ours("", argv);
  using client = new PlainClient(place.url);
  await client.send("GET", `/v2/${repositoryOf(0)}/manifests/v0`, 200);
  return (performance.now() - began) / 1000;
}

/** Ours, with many manifests: from the start of the process until it has answered, and what it holds then. */
async function filled(directory: string): Promise<Row> {
  const root = join(directory, "filled");
  await fillRegistry(root, MANIFESTS);
  const argv = ["--addr", "127.0.0.1:0", "--root", root];
  const starts: number[] = [];
  for (let i = 0; i < STARTS; i++) starts.push(await startUp(argv));
  await using place = await ours("", argv);
  const { pid, url } = place;
  const idle = residentMemory(pid, "VmRSS");
  const script = join(directory, "any.lua");
  writeFileSync(script, ANY_MANIFEST);
  let requests = 0;
  const { cpu } = await cost(pid, () => {
    const output = execFileSync("wrk", ["-t1", "-c16", `-d${PULL_SECONDS}s`, "-s", script, url], { encoding: "utf8" });
    if (output.includes("Non-2xx")) throw new Error(output);
    requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? "1");
  });
  return {
    "start until it answers": `${median(starts).toFixed(2)} s`,
    "manifest by tag, any of all": `${Math.round(requests / PULL_SECONDS)}/s ${((cpu / requests) * 1000).toFixed(3)} ms`,
    "RSS at the start, after that": `${idle}, ${residentMemory(pid, "VmRSS")} MB`,
  };
}

const ANY_MANIFEST = `
  math.randomseed(1)
  request = function()
    local image = math.random(0, ${MANIFESTS - 1})
    return wrk.format("GET", "/v2/filled/" .. math.floor(image / ${PER_REPOSITORY}) .. "/manifests/v" .. image)
  end
`;

async function main(): Promise<void> {
  const directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "teu-bench-"));
  try {
    console.log(machineLine());
    const openers = noDockerRegistry() === false ? [ours, theirs] : [ours];
    const rows: [string, Row][] = [];
    for (const open of openers) {
      await using place = await open(directory);
      rows.push([place.name, { ...(await pullsRow(place)), ...(await tagsRow(place)) }]);
    }
    console.table(Object.fromEntries(rows));
    console.log(`our registry with ${MANIFESTS} manifests; medians of ${STARTS} starts`);
    console.table(await filled(directory));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (existsSync("/usr/bin/wrk")) await main();
else console.log("registry-scale: skipped, not installed: /usr/bin/wrk");
