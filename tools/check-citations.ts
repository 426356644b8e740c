// Pages that name tests name tests that exist: a path in backticks, then titles in quotes, each of which the file must hold.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { report } from "./check/sources.ts";

const PAGES = ["docs/design/hostile-images.md", "docs/design/hostile-clients.md"];

/** Problems of one page, one line each. `read` gives a file's text, null when there is none. */
export function checkCitations(page: string, text: string, read: (path: string) => string | null): string[] {
  const cited = [...text.matchAll(/`([\w./-]+\.ts)`((?: ?,? ?"[^"]+")+)/g)];
  if (cited.length === 0) return [`${page}: names no test`];
  return cited.flatMap(([, path = "", titles = ""]) => {
    const content = read(path);
    if (content === null) return [`${page}: there is no ${path}`];
    return [...titles.matchAll(/"([^"]+)"/g)].flatMap(([, title = ""]) =>
      content.includes(title) ? [] : [`${page}: ${path} holds no ${JSON.stringify(title)}`],
    );
  });
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const read = (path: string): string | null =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : null;
  report(
    "check-citations",
    PAGES.flatMap((page) => checkCitations(page, read(page) ?? "", read)),
  );
}
