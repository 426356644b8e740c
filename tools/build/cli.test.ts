import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { bundleAll } from "./cli.ts";

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
      'import { Shared } from "../shared.ts";\nexport const two = (shared: Shared): string => `${Shared.look(shared)} ${Shared.name}`;\n',
    );
    const out = join(directory, "out");
    await bundleAll(join(directory, "main.ts"), out);
    assert.equal(
      execFileSync(process.execPath, [join(out, "main.cjs")], { encoding: "utf8" }),
      "main\ntrue Shared function\n",
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
