// Every source file says at its top what it is; every export has a doc comment; every package has a README whose snippets
// parse and that has a line for each dependency.

import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseSync, type Comment, type Statement } from "oxc-parser";
import { loadManifests, type Manifest } from "./check-deps.ts";
import { isGenerated, isTest, loadSources, place, report, type Source } from "./check/sources.ts";

const FORBIDDEN_NAMES = /^(utils?|helpers?|common|misc|index)\.ts$/;
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.ts$/;
const MARKERS = /\b(TODO|FIXME|XXX|HACK)\b/;

/** Problems of source files, one line each. */
export function checkSources(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => [...fileProblems(source), ...exportProblems(source)]);
}

function fileProblems(source: Source): string[] {
  const problems: string[] = [];
  const name = basename(source.path);
  if (FORBIDDEN_NAMES.test(name)) problems.push(`${source.path}: name it after what it holds`);
  if (!KEBAB.test(name)) problems.push(`${source.path}: file names are kebab-case`);
  // A test's name says what it tests.
  if (headLines(source) === 0 && !source.path.endsWith(".test.ts"))
    problems.push(`${source.path}: no head comment (what it does, which clause of a spec, what it leaves to others)`);
  for (const comment of source.comments) {
    const marker = MARKERS.exec(comment.value)?.[0];
    if (marker !== undefined)
      problems.push(`${place(source, comment.start)}: ${marker} in a comment: do it, or open an issue`);
    if (/@ts-(ignore|nocheck|expect-error)/.test(comment.value) && !isTest(source.path))
      problems.push(`${place(source, comment.start)}: fix the type instead`);
  }
  for (const statement of source.program.body) {
    if (statement.type === "ExportDefaultDeclaration")
      problems.push(`${place(source, statement.start)}: default exports have no name: export a named one`);
  }
  return problems;
}

// Lines of the comment that begins the file (after a #! line).
function headLines(source: Source): number {
  const shebang = source.text.startsWith("#!") ? source.text.indexOf("\n") + 1 : 0;
  let end = shebang;
  let lines = 0;
  for (const comment of source.comments) {
    if (source.text.slice(end, comment.start).trim() !== "") break;
    end = comment.end;
    lines += comment.value.split("\n").length;
  }
  return lines;
}

function exportProblems(source: Source): string[] {
  // A constant of a kernel header has its contract there, under its own name.
  if (
    source.path.endsWith(".test.ts") ||
    /^(tests|conformance)\//.test(source.path) ||
    source.path.startsWith("packages/sys/src/constants/")
  )
    return [];
  const problems: string[] = [];
  for (const statement of source.program.body) {
    const declared = statement.type === "ExportNamedDeclaration" ? statement.declaration : null;
    // Members of `declare module "sys:..."` are not asked: they are system calls, their man pages are the contract, and the
    // .d.ts comments on what differs.
    if (declared !== null && declared !== undefined && !documented(source, statement))
      problems.push(undocumented(source, statement));
  }
  return problems;
}

function undocumented(source: Source, statement: Statement): string {
  const line = source.text.slice(statement.start).split("\n")[0] ?? "";
  return `${place(source, statement.start)}: no doc comment: ${line.slice(0, 70)}`;
}

function documented(source: Source, statement: Statement): boolean {
  const before = source.comments.findLast((comment) => comment.end <= statement.start);
  if (before !== undefined && isDoc(before) && source.text.slice(before.end, statement.start).trim() === "")
    return true;
  return sharesComment(source, statement);
}

// Overloads share the comment of the first, and so do constants that stand together without a blank line.
function sharesComment(source: Source, statement: Statement): boolean {
  const index = source.program.body.indexOf(statement);
  const previous = source.program.body[index - 1];
  if (previous === undefined) return false;
  const name = functionName(statement);
  const overload = name !== undefined && functionName(previous) === name;
  const together =
    isConstant(statement) && isConstant(previous) && !/\n\s*\n/.test(source.text.slice(previous.end, statement.start));
  return (overload || together) && documented(source, previous);
}

function isConstant(statement: Statement): boolean {
  return statement.type === "ExportNamedDeclaration" && statement.declaration?.type === "VariableDeclaration";
}

function functionName(statement: Statement): string | undefined {
  if (statement.type !== "ExportNamedDeclaration") return undefined;
  const declared = statement.declaration;
  return declared?.type === "FunctionDeclaration" || declared?.type === "TSDeclareFunction"
    ? declared.id?.name
    : undefined;
}

function isDoc(comment: Comment): boolean {
  return comment.type === "Block" && comment.value.startsWith("*");
}

/** Problems of one package's README. */
export function checkReadme(name: string, text: string | undefined, manifest: Manifest): string[] {
  const file = `packages/${name}/README.md`;
  if (text === undefined) return [`${file}: missing`];
  const problems: string[] = [];
  for (const dependency of Object.keys(manifest.dependencies ?? {}).filter((one) => !one.startsWith("@teu/"))) {
    if (!text.includes(`\`${dependency}\``)) problems.push(`${file}: no line says why there is \`${dependency}\``);
  }
  if (!/```/.test(text)) problems.push(`${file}: no snippet`);
  for (const [, snippet = ""] of text.matchAll(/```ts\n([^]*?)```/g)) {
    const [error] = parseSync("snippet.ts", snippet).errors;
    if (error !== undefined) problems.push(`${file}: snippet: ${error.message}`);
    for (const [, subpath = "", owner = ""] of snippet.matchAll(/from "(@teu\/([^/"]+)\/[^"]+)"/g)) {
      const target = subpath.replace(`@teu/${owner}/`, `packages/${owner}/src/`);
      if (!existsSync(join(import.meta.dirname, "..", `${target}.ts`)))
        problems.push(`${file}: snippet: there is no ${subpath}`);
    }
  }
  return problems;
}

/** Problems of links between the project's own pages. */
export function checkLinks(root: string): string[] {
  const pages = globSync(["*.md", "docs/**/*.md", "packages/*/README.md", "native/**/README.md", "examples/**/*.md"], {
    cwd: root,
    exclude: (name) => name === "node_modules" || name === "target",
  });
  return pages.flatMap((page) => {
    const text = readFileSync(join(root, page), "utf8");
    return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].flatMap(([, link = ""]) =>
      /^[a-z]+:/.test(link) || existsSync(join(root, page, "..", link)) ? [] : [`${page}: there is no ${link}`],
    );
  });
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const readmes = Object.entries(loadManifests(root))
    .filter(([name]) => name !== "")
    .flatMap(([name, manifest]) => {
      const file = join(root, "packages", name, "README.md");
      return checkReadme(name, existsSync(file) ? readFileSync(file, "utf8") : undefined, manifest);
    });
  report("check-docs", [
    ...checkSources(loadSources(root).filter((source) => !isGenerated(source))),
    ...readmes,
    ...checkLinks(root),
  ]);
}
