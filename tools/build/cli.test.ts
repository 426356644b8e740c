import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { Script } from "node:vm";
import { bundleAll } from "./cli.ts";
import { CACHE_SUFFIX, type Chunk, packChunks, WRAPPER } from "./pack-chunks.ts";
import { ROOT } from "./step.ts";

test("bundleAll: dynamic imports are files of their own, and what they share exists once", async () => {
  const directory = mkdtempSync(join(tmpdir(), "teu-bundle-"));
  try {
    const put = (file: string, text: string): void => {
      writeFileSync(join(directory, file), text);
    };
    mkdirSync(join(directory, "b"));
    put("main.ts", 'console.log("main");\nvoid import("./one.ts").then(({ one }) => one());\n');
    put(
      "one.ts",
      `import { Shared } from "./shared.ts";
export const one = async (): Promise<void> => {
  const { two } = await import("./b/one.ts");
  console.log(two(new Shared()), typeof (await import("node:fs")).statSync);
};
`,
    );
    put(
      "shared.ts",
      `export class Shared {
  readonly #here = import.meta.dirname === new URL(".", import.meta.url).pathname.slice(0, -1);
  static look(other: Shared): boolean { return other.#here; }
}
`,
    );
    put(
      "b/one.ts",
      'import { Shared } from "../shared.ts";\nexport const two = (shared: Shared): string => `${Shared.look(shared)}`;\n',
    );
    const hot = ["one.ts", "b/one.ts"].map((file) => relative(ROOT, join(directory, file)));
    for (const [name, packed, files] of [
      ["cold", {}, 0],
      ["warm", { hot: { files: hot.slice(0, 1) } }, 1],
      ["hot", { hot: { files: hot } }, 1],
    ] as const) {
      const out = join(directory, name);
      await bundleAll(join(directory, "main.ts"), out, packed);
      const run = `require(${JSON.stringify(`${out}/load.cjs`)})("main.cjs")`;
      assert.equal(execFileSync(process.execPath, ["-e", run], { encoding: "utf8" }), "main\ntrue function\n", name);
      assert.equal(readdirSync(out).filter((file) => file === "hot.cjs").length, files, name);
    }
    for (const pack of ["main.cjs", "hot.cjs"].map((file) => join(directory, "hot", file))) {
      const source = `${WRAPPER[0]}${readFileSync(pack, "latin1")}${WRAPPER[1]}`;
      const script = new Script(source, { filename: pack, cachedData: readFileSync(`${pack}${CACHE_SUFFIX}`) });
      assert.equal(script.cachedDataRejected, false, pack);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** A chunk of about `size` characters. */
function chunk(name: string, size: number, needs: readonly string[] = []): Chunk {
  return { name: `${name}.cjs`, entry: `${name}.ts`, code: "x".repeat(size), needs: needs.map((one) => `${one}.cjs`) };
}

/** File by file, the chunks in it. */
function packed(chunks: readonly Chunk[], paths: Parameters<typeof packChunks>[1]): Record<string, string[]> {
  return Object.fromEntries(
    packChunks(chunks, paths).map(({ name, code }) => [
      name,
      [...code.matchAll(/__parts\["(\w+)\.cjs"\] =/g)].map(([, part]) => part ?? ""),
    ]),
  );
}

test("packChunks: together what the same paths need, small packs in the one with the fewest other users", () => {
  const chunks = [
    chunk("main", 10),
    chunk("run", 20_000, ["both", "all", "little"]),
    chunk("pull", 20_000, ["both", "all", "main"]),
    chunk("copy", 20_000, ["all", "little"]),
    chunk("both", 20_000),
    chunk("all", 20_000),
    chunk("little", 100),
    chunk("registry", 20_000, ["all", "pull"]),
    chunk("other", 10, ["all"]),
  ];
  const paths = { run: { files: ["run.ts"] }, pull: { files: ["pull.ts"] }, copy: { files: ["copy.ts"] } };
  const wanted = {
    "main.cjs": ["main"],
    "run.cjs": ["run"],
    "pull.cjs": ["pull"],
    "copy.cjs": ["copy"],
    "run+pull.cjs": ["both"],
    "run+pull+copy.cjs": ["all", "little"],
  };
  assert.deepEqual(packed(chunks, paths), { ...wanted, "registry.cjs": [], "other.cjs": [] });
  const more = { ...paths, registry: { after: "pull", files: ["registry.ts"] } };
  assert.deepEqual(packed(chunks, more), { ...wanted, "registry.cjs": ["registry"], "other.cjs": [] });
});
