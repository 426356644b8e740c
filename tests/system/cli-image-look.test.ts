// `teu image tree|diff|mount|unmount`, `teu import`, `teu export`: what images and containers hold, seen, mounted, taken out and brought in.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { Registry } from "@teu/registry/registry";
import { encodeTarHeader, TAR_END, tarEntry, tarPadding } from "@teu/image/tar/writer";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
const TEU = join(import.meta.dirname, "../../bin/teu");
let host: CliHost;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  mkdirSync(join(host.directory, "tree/etc"), { recursive: true });
  writeFileSync(join(host.directory, "tree/etc/added"), "added\n");
  await teu("image", "append", "-q", "-t", "tall:1", "base", "tree");
  await teu("image", "mutate", "-q", "-e", "A=1", "-t", "tall:2", "tall:1");
});
after(async () => {
  if (skip === undefined) await host[Symbol.asyncDispose]();
});

async function teu(...args: readonly string[]): Promise<string> {
  const outcome = await host.teu(args, { cwd: host.directory });
  assert.equal(outcome.code, 0, `${args.join(" ")}: ${outcome.stderr}`);
  return outcome.stdout.trim();
}

async function fails(args: readonly string[], code: number, text: RegExp): Promise<void> {
  const outcome = await host.teu(args, { cwd: host.directory });
  assert.equal(outcome.code, code, outcome.stderr);
  assert.match(outcome.stderr, text);
}

function mountsBelow(directory: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.map((line) => line.split(" ")[4] ?? "").filter((path) => path.startsWith(`${directory}/`));
}

test("image tree: layers, what made them, what they hold, and who shares them", { skip }, async () => {
  const tall = JSON.parse(await teu("image", "tree", "--files", "--format", "json", "tall:1")) as {
    layers: { sharedWith: string[]; createdBy: string; size: number; files: { path: string; kind: string }[] }[];
  };
  assert.deepEqual(tall.layers[0]?.sharedWith.includes("base:latest"), true);
  const top = tall.layers.at(-1);
  assert.deepEqual([top?.sharedWith.includes("tall:2"), top?.createdBy], [true, "teu image append"]);
  assert.deepEqual(
    top?.files.map(({ path }) => path),
    ["/etc", "/etc/added"],
  );
  assert.ok(top !== undefined && top.size > 0);
  const text = await teu("image", "tree", "--files", "tall:1");
  assert.match(text, /^tall:1 .*\n├─ .*also in .*base:latest/);
  assert.match(text, /\n└─ .*teu image append .*\n {5}\+ \/etc\/\n {5}\+ \/etc\/added {2}6B$/);
});

test("image inspect, history: of images that are elsewhere, from their documents alone", { skip }, async () => {
  await using registry = await Registry.listen();
  const name = `${registry.address}/looked/at:1`;
  await teu("copy", "-q", "containers:tall:2", "oci:elsewhere:v1");
  await teu("copy", "-q", "containers:tall:2", `docker://${name}`);
  const inspect = async (...args: string[]): Promise<Record<string, unknown>> =>
    (JSON.parse(await teu("image", "inspect", ...args)) as Record<string, unknown>[])[0] ?? {};
  const here = await inspect("tall:2");
  const { digest } = here["Descriptor"] as { digest: string };
  const there = await inspect(`docker://${name}`);
  assert.deepEqual([there["RepoTags"], there["RepoDigests"]], [[name], [`${registry.address}/looked/at@${digest}`]]);
  assert.deepEqual((await inspect("oci:elsewhere:v1"))["RepoTags"], []);
  for (const found of [there, await inspect("oci:elsewhere:v1")]) {
    for (const field of ["Id", "Created", "Architecture", "Os", "RootFS", "Config", "Comment", "Author"])
      assert.deepEqual(found[field], here[field], field);
    assert.ok((found["Size"] as number) > 0);
    assert.equal((found["Descriptor"] as { digest: string }).digest, digest);
  }
  // No layer is read: it need not even be there.
  for (const { digest: layer } of layersOf(await teu("manifest", "inspect", "oci:elsewhere:v1")))
    rmSync(join(host.directory, "elsewhere/blobs/sha256", layer.slice(7)));
  assert.equal(await teu("inspect", "-f", "{{.Id}}", "oci:elsewhere:v1"), here["Id"]);
  const lines = async (image: string): Promise<string[]> =>
    (await teu("image", "history", "--no-trunc", "--format", "{{.CreatedBy}}", image)).split("\n");
  assert.deepEqual(await lines("oci:elsewhere:v1"), await lines("tall:2"));
  await fails(["image", "inspect", "--platform", "linux/s390x", "oci:nowhere:v1"], 1, /nowhere/);
  await fails(
    ["image", "inspect", "--platform", "linux/s390x", `docker://${name}`],
    1,
    /no manifest for linux\/s390x\nhint: it exists for linux/,
  );
  await fails(["container", "inspect", "oci:elsewhere:v1"], 1, /No such container/);
});

test("import: a layer has more directories than this user may open", { skip }, async () => {
  const names = Array.from({ length: 1100 }, (_, index) => `many/${index}/`);
  const entries = ["many/", ...names].flatMap((name) => [
    encodeTarHeader(tarEntry({ name, type: "directory", mode: 0o755 })),
    encodeTarHeader(tarEntry({ name: `${name}file`, type: "file", mode: 0o644 })),
  ]);
  writeFileSync(join(host.directory, "many.tar"), Buffer.concat([...entries, TAR_END]));
  await teu("import", "many.tar", "many:1");
  const env = { TEU_ROOT: join(host.directory, "root"), TEU_RUNROOT: join(host.directory, "run") };
  const command = `ulimit -n 1024; exec ${TEU} image unpack many:1 many-files`;
  execFileSync("sh", ["-c", command], { cwd: host.directory, env: { ...process.env, ...env }, stdio: "pipe" });
  assert.equal(readdirSync(join(host.directory, "many-files/many")).length, 1101);
});

function layersOf(manifest: string): readonly { digest: string }[] {
  return (JSON.parse(manifest) as { layers: { digest: string }[] }).layers;
}

test("image tree, diff: names of files and settings of strangers do nothing to the terminal", { skip }, async () => {
  mkdirSync(join(host.directory, "hostile"));
  writeFileSync(join(host.directory, "hostile/a\u001b[2Jb"), "x");
  await teu("image", "append", "-q", "--created-by", "x\u001b]0;title\u0007", "-t", "hostile", "base", "hostile");
  for (const args of [
    ["image", "tree", "--files", "hostile"],
    ["image", "diff", "base", "hostile"],
  ])
    assert.doesNotMatch(await teu(...args), /[\u001b\u0007]/);
});

test("image diff: files and settings; the exit code is asked for", { skip }, async () => {
  assert.match(await teu("image", "diff", "base", "tall:2"), /^A \/etc\/added {2}6B\nS Env\.A {2}nothing -> "1"$/m);
  await teu("copy", "-q", "containers:tall:2", "oci:diff:v1");
  assert.equal(await teu("image", "diff", "--exit-code", "tall:2", "oci:diff:v1"), "");
  const outcome = await host.teu(["image", "diff", "--exit-code", "--format", "json", "tall:2", "base"]);
  assert.equal(outcome.code, 1);
  const found = JSON.parse(outcome.stdout) as { files: { kind: string; path: string }[]; config: unknown[] };
  assert.ok(found.files.some(({ kind, path }) => kind === "deleted" && path === "/etc/added"));
  assert.equal(found.config.length, 1);
});

test("image mount: read-only, harmless, found again, and nothing is left of it", { skip }, async () => {
  mkdirSync(join(host.directory, "gone/etc"), { recursive: true });
  writeFileSync(join(host.directory, "gone/etc/added"), "added\n");
  writeFileSync(join(host.directory, "gone/own"), "layers that no other image has");
  await teu("image", "append", "-q", "-t", "gone:1", "base", "gone");
  const run = join(host.directory, "run");
  const path = await teu("image", "mount", "gone:1");
  assert.equal(readFileSync(join(path, "etc/added"), "utf8"), "added\n");
  assert.ok(statSync(join(path, "bin/busybox")).isFile());
  assert.throws(() => writeFileSync(join(path, "etc/added"), "x"), { code: "EROFS" });
  const [line] = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((one) => one.includes(path));
  assert.match(line ?? "", / ro,nosuid,nodev/);
  assert.equal(await teu("image", "mount", "gone:1"), path);
  assert.equal(await teu("image", "mount", "base", "here"), join(host.directory, "here"));
  const listed = (await teu("image", "mount", "--format", "{{.Image}} {{.Path}}")).split("\n").toSorted();
  assert.deepEqual(listed, [`base ${join(host.directory, "here")}`, `gone:1 ${path}`].toSorted());
  // Removed and collected: the mount keeps its layers.
  await teu("tag", "gone:1", "short-lived");
  await teu("rmi", "short-lived", "gone:1");
  await teu("system", "prune", "-f");
  assert.equal(readFileSync(join(path, "etc/added"), "utf8"), "added\n");
  const user = spawn("sleep", ["60"], { cwd: path, stdio: "ignore" });
  await new Promise((resolve) => user.once("spawn", resolve));
  try {
    await fails(["image", "unmount", "gone:1"], 1, /in use/);
  } finally {
    const gone = new Promise((resolve) => user.once("close", resolve));
    user.kill("SIGKILL");
    await gone;
  }
  assert.equal(await teu("image", "unmount", "gone:1"), path);
  assert.equal(await teu("image", "unmount", "here"), join(host.directory, "here"));
  await fails(["image", "unmount", "gone:1"], 1, /not mounted/);
  assert.deepEqual(mountsBelow(host.directory), []);
  assert.deepEqual(readdirSync(join(run, "image-mounts")), []);
  assert.equal(existsSync(join(host.directory, "here")), false);
  await fails(["image", "mount", "nowhere"], 1, /No such image/);
  await fails(["image", "unmount"], 125, /no image is named/);
});

test("image mount: one that was taken down by other means is forgotten", { skip }, async () => {
  const path = await teu("image", "mount", "base");
  execFileSync("umount", [path]);
  assert.doesNotMatch(await teu("image", "mount"), /base/);
  assert.equal(existsSync(path), false);
  const again = await teu("image", "mount", "base");
  await teu("image", "unmount", "--all");
  assert.deepEqual([mountsBelow(host.directory), existsSync(again)], [[], false]);
});

test("image mount: what a process killed while mounting left keeps nothing", { skip }, async () => {
  await teu("image", "mount", "base");
  const rows = (): string[] => {
    using db = new DatabaseSync(join(host.directory, "root/teu.db"));
    const keys = db.prepare("SELECT key FROM workspace WHERE key LIKE 'image-mount-%'").all();
    return keys.map((row) => String(row["key"]));
  };
  const [mounted = ""] = rows();
  {
    using db = new DatabaseSync(join(host.directory, "root/teu.db"));
    const columns = "SELECT 'image-mount-dead', parent, owner, 0 FROM workspace WHERE key = ?";
    db.prepare(`INSERT INTO workspace(key, parent, owner, created_at) ${columns}`).run(mounted);
  }
  mkdirSync(join(host.directory, "run/image-mounts/half/rootfs"), { recursive: true });
  assert.equal(rows().length, 2);
  await teu("system", "prune", "-f");
  assert.deepEqual(rows(), [mounted]);
  assert.deepEqual(readdirSync(join(host.directory, "run/image-mounts")), [mounted.slice("image-mount-".length)]);
  await teu("image", "unmount", "--all");
  assert.deepEqual(rows(), []);
});

test(
  "export: of a running and of a stopped container, with links and attributes and without what was deleted",
  { skip },
  async () => {
    const script =
      "echo own > /own; ln /own /second; rm /etc/group; chmod 4711 /own; mkdir -p /deep/er; ln -s ../own /deep/link; mkfifo /fifo; echo ready; sleep 60";
    await teu("run", "-d", "--network", "none", "--name", "exported", "base", "sh", "-c", script);
    const { child, says } = host.start(["logs", "-f", "exported"]);
    await says("ready");
    child.kill();
    await teu("export", "-o", "running.tar", "exported");
    await teu("stop", "-t", "0", "exported");
    await teu("container", "export", "-o", "stopped.tar", "exported");
    for (const name of ["running.tar", "stopped.tar"]) {
      const lines = execFileSync("tar", ["-tvf", join(host.directory, name)], { encoding: "utf8" });
      assert.match(lines, /^-rws--x--x 0\/0 +4 .* own$/m);
      assert.match(lines, /^hrws--x--x .* second link to own$/m);
      assert.match(lines, /deep\/link -> \.\.\/own$/m);
      assert.match(lines, /^p.* fifo$/m);
      assert.match(lines, / etc\/passwd$/m);
      assert.doesNotMatch(lines, /etc\/group|\.wh\./);
    }
    assert.deepEqual(
      readFileSync(join(host.directory, "running.tar")),
      readFileSync(join(host.directory, "stopped.tar")),
    );
    await teu("rm", "exported");
    await fails(["export", "exported"], 1, /No such container/);
  },
);

test("import: what was exported runs as it was, with the settings that were asked for", { skip }, async () => {
  await teu("create", "--network", "none", "--name", "source", "base");
  const tar = join(host.directory, "source.tar");
  await teu("export", "-o", tar, "source");
  await teu("rm", "source");
  const bytes = readFileSync(tar);
  writeFileSync(`${tar}.gz`, gzipSync(bytes, { level: 1 }));
  writeFileSync(`${tar}.zst`, zstdCompressSync(bytes));
  const ids = new Set<string>();
  for (const file of ["source.tar", "source.tar.gz", "source.tar.zst"]) {
    const changes = ["-c", 'CMD ["sh", "-c", "echo $A; id -u"]', "-c", "ENV A=b PATH=/bin", "-c", "USER app"];
    ids.add(await teu("import", "--timestamp", "1000000000", ...changes, "-m", "brought in", file, "imported"));
    assert.equal(await teu("run", "--rm", "--network", "none", "imported"), "b\n1000");
    assert.match(await teu("history", "imported"), /brought in/);
  }
  // However it was compressed, the files are the same, and so is the image.
  assert.equal(ids.size, 1);
  const id = await teu("import", "source.tar.gz");
  const [facts] = JSON.parse(await teu("image", "inspect", id)) as [
    { Id: string; RepoTags: string[]; Comment: string },
  ];
  assert.deepEqual([facts.Id, facts.RepoTags, facts.Comment], [id, [], "Imported from source.tar.gz"]);
});

test(
  "import: from stdin, to any place; what is no root file system is refused and leaves nothing",
  { skip },
  async () => {
    const entry = (name: string): Uint8Array =>
      Buffer.concat([
        encodeTarHeader(tarEntry({ name, type: "file", size: 3 })),
        Buffer.from("abc"),
        tarPadding(3),
        TAR_END,
      ]);
    writeFileSync(join(host.directory, "good.tar"), entry("file"));
    writeFileSync(join(host.directory, "bad.tar"), entry("../escape"));
    const outcome = await host.teu(["import", "-", "oci:stdin:v1"], {
      cwd: host.directory,
      input: entry("file").toString(),
    });
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.match(await teu("image", "tree", "--files", "oci:stdin:v1"), /\+ \/file {2}3B/);
    const images = await teu("images", "-a", "-q");
    await fails(["import", "bad.tar", "bad"], 1, /contains "\.\."/);
    await fails(["import", "-c", "RUN true", "good.tar", "bad"], 1, /instruction/);
    await fails(["import", "https://example.org/rootfs.tar", "bad"], 125, /not fetched/);
    await fails(["import", "none.tar", "bad"], 1, /no such file/);
    assert.equal(await teu("images", "-a", "-q"), images);
  },
);
