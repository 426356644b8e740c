// teu artifact as people type it: against our registry and docker-registry, which has no referrers API.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Registry } from "@teu/registry/registry";
import { DockerRegistry, noDockerRegistry } from "@teu/testkit/docker-registry";

import { CliHost, UNABLE } from "./cli-harness.ts";

const skip = UNABLE;
let host: CliHost;
let registry: Registry;
before(async () => {
  if (skip !== undefined) return;
  host = await CliHost.open();
  registry = await Registry.listen();
  mkdirSync(join(host.directory, "in/tree/deep"), { recursive: true });
  writeFileSync(join(host.directory, "in/one.txt"), "one");
  writeFileSync(join(host.directory, "in/tree/deep/two"), Buffer.alloc(3 << 20, "two"));
  symlinkSync("deep/two", join(host.directory, "in/tree/link"));
});
after(async () => {
  if (skip !== undefined) return;
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

interface Discovered {
  readonly digest: string;
  readonly referrers: readonly { readonly digest: string; readonly artifactType?: string; readonly referrers: [] }[];
}

for (const peer of ["our registry", "docker-registry"] as const) {
  const skipHere = skip ?? (peer === "docker-registry" ? noDockerRegistry() || undefined : undefined);
  test(`artifact: pushed to ${peer}, pulled, attached, discovered`, { skip: skipHere }, async () => {
    await using other = peer === "docker-registry" ? await DockerRegistry.start() : null;
    const address = other?.address ?? registry.address;
    const name = `${address}/artifacts/files:v1`;
    const at = (part: string): string => join(host.directory, `${peer}-${part}`.replaceAll(" ", "-"));
    const type = ["--artifact-type", "application/vnd.test"];
    const pushed = JSON.parse(
      await host.ok([
        ...["artifact", "push", "-C", join(host.directory, "in"), ...type, "-a", "a=b", "--format", "json"],
        ...[name, "one.txt:text/plain", "tree"],
      ]),
    ) as { digest: string; artifactType: string; files: { path: string; mediaType: string }[] };
    assert.equal(pushed.artifactType, "application/vnd.test");
    assert.deepEqual(
      pushed.files.map(({ path, mediaType }) => [path, mediaType]),
      [
        ["one.txt", "text/plain"],
        ["tree", "application/vnd.oci.image.layer.v1.tar+gzip"],
      ],
    );
    assert.equal(await host.ok(["digest", name]), pushed.digest);
    const said = await host.ok(["artifact", "pull", "-o", at("out"), name]);
    assert.equal(said, `one.txt\ntree\nDigest: ${pushed.digest}`);
    execFileSync("diff", ["-r", "--no-dereference", join(host.directory, "in"), at("out")]);
    const again = await host.teu(["artifact", "pull", "-o", at("out"), name]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /there is such a file already\nhint: use --overwrite/);
    await host.ok(["artifact", "pull", "--overwrite", "-q", "-o", at("out"), name]);

    const attach = ["artifact", "attach", "-q", "-C", join(host.directory, "in")];
    const sbom = await host.ok([...attach, "--artifact-type", "application/sbom", name, "one.txt"]);
    const below = `${address}/artifacts/files@${sbom}`;
    const signature = await host.ok([...attach, "--artifact-type", "application/sig", "-a", "k=v", below]);
    const found = JSON.parse(await host.ok(["artifact", "discover", "--format", "json", name])) as Discovered;
    assert.equal(found.digest, pushed.digest);
    assert.deepEqual(
      found.referrers.map((one) => [one.digest, one.artifactType, one.referrers.length]),
      [[sbom, "application/sbom", 1]],
    );
    const tree = await host.ok(["artifact", "discover", "-v", name]);
    assert.equal(
      tree.replaceAll(/image\.created: .*/g, "image.created: WHEN"),
      [
        `docker://${name}@${pushed.digest}`,
        "└── application/sbom",
        `    └── ${sbom}`,
        "        ├── [annotations]",
        "        │   └── org.opencontainers.image.created: WHEN",
        "        └── application/sig",
        `            └── ${signature}`,
        "                └── [annotations]",
        "                    ├── k: v",
        "                    └── org.opencontainers.image.created: WHEN",
      ].join("\n"),
    );
    assert.match(await host.ok(["artifact", "discover", "--artifact-type", "x/y", name]), /^docker:.*[0-9a-f]$/);
    // Referrers come along, and a layout has them too.
    await host.ok(["copy", "--referrers", name, `oci:${at("layout")}:v1`]);
    const copied = JSON.parse(
      await host.ok(["artifact", "discover", "--format", "json", `oci:${at("layout")}:v1`]),
    ) as Discovered;
    assert.deepEqual(copied.referrers, found.referrers);
    const alone = await host.ok(["artifact", "pull", "-o", at("sbom"), `${address}/artifacts/files@${sbom}`]);
    assert.match(alone, /^one\.txt$/m);
  });
}

test("artifact: layouts and archives; annotations and config from files", { skip }, async () => {
  const layout = `oci:${join(host.directory, "layout")}`;
  const annotations = join(host.directory, "annotations.json");
  writeFileSync(annotations, '{"$manifest": {"m": "1"}, "$config": {"c": "2"}, "one.txt": {"f": "3"}}');
  writeFileSync(join(host.directory, "in/config.json"), "{}");
  const push = ["artifact", "push", "-q", "-C", join(host.directory, "in"), "--annotation-file", annotations];
  await host.ok([...push, "--config", "config.json:application/vnd.c+json", `${layout}:a`, "one.txt"]);
  const blob = JSON.parse(await host.ok(["blob", `${layout}@${await host.ok(["digest", `${layout}:a`])}`])) as {
    annotations: Record<string, string>;
    config: object;
    layers: { annotations: Record<string, string> }[];
  };
  assert.equal(blob.annotations["m"], "1");
  assert.deepEqual(blob.layers[0]?.annotations, { f: "3", "org.opencontainers.image.title": "one.txt" });
  assert.deepEqual((blob.config as { annotations: object }).annotations, { c: "2" });
  const out = join(host.directory, "out-config");
  await host.ok(["artifact", "pull", "-q", "--config", "c.json", "-o", out, `${layout}:a`]);
  assert.deepEqual(readdirSync(out).toSorted(), ["c.json", "one.txt"]);
  assert.equal(readFileSync(join(out, "c.json"), "utf8"), "{}");
  const archive = `oci-archive:${join(host.directory, "a.tar")}:v1`;
  await host.ok([...push, archive, "tree"]);
  await host.ok(["artifact", "pull", "-q", "-o", join(host.directory, "out-archive"), archive]);
  execFileSync("diff", ["-r", join(host.directory, "in/tree"), join(host.directory, "out-archive/tree")]);
});

test("artifact: mistakes are named, and leave nothing", { skip }, async () => {
  const cases: readonly (readonly [args: readonly string[], code: number, stderr: RegExp])[] = [
    [["push", "oci:never:v1", "../x"], 1, /it leads upwards/],
    [["push", "oci:never:v1", "/etc/passwd"], 1, /it is absolute/],
    [["push", "oci:never:v1", "absent"], 1, /absent/],
    [["push", "oci:never:v1", "in/one.txt:nonsense"], 1, /it is no media type/],
    [["push", "-a", "x", "oci:never:v1"], 125, /is not KEY=VALUE/],
    [["push", "containers:x", "in/one.txt"], 125, /holds images only/],
    [["attach", "oci:never:v1", "in/one.txt"], 125, /--artifact-type is missing/],
    [["attach", "--artifact-type", "a/b", "oci:never:v1"], 125, /nothing to attach/],
    [["attach", "--artifact-type", "a/b", "dir:never", "in/one.txt"], 125, /nothing can be attached/],
    [["discover", "--depth", "0", "oci:never:v1"], 125, /no number of levels/],
    [["discover", "containers:base"], 1, /the place keeps no referrers/],
    [["pull", "oci:never:v1"], 1, /read image layout/],
  ];
  for (const [args, code, stderr] of cases) {
    const outcome = await host.teu(["artifact", ...args], { cwd: host.directory });
    assert.equal(outcome.code, code, `${args.join(" ")}: ${outcome.stderr}`);
    assert.match(outcome.stderr, stderr);
  }
  assert.equal(readdirSync(host.directory).includes("never"), false);
});

test("docs/guide/artifacts.md: works when typed in", { skip }, async () => {
  await host.ok(["tag", "base", "hello"]);
  const guide = readFileSync(new URL("../../docs/guide/artifacts.md", import.meta.url), "utf8");
  for (const [, mark, line = ""] of guide.matchAll(/^([#$]) (.*)$/gm)) {
    if (mark === "$") execFileSync("sh", ["-c", line], { cwd: host.directory });
    else if (line.startsWith("teu ")) {
      const words = line.replaceAll("127.0.0.1:5000", registry.address).split(" ").slice(1);
      const outcome = await host.teu(words, { cwd: host.directory });
      assert.equal(outcome.code, 0, `${line}: ${outcome.stderr}`);
    }
  }
  assert.equal(readFileSync(join(host.directory, "pulled/assets/logo"), "utf8"), "deep\n");
});
