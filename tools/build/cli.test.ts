import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { Script } from "node:vm";
import { bundleAll } from "./cli.ts";
import { CACHE_SUFFIX, WRAPPER } from "./pack-chunks.ts";
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
      ["cold", [], 0],
      ["warm", hot.slice(0, 1), 1],
      ["hot", hot, 1],
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
