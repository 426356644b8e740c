// The part of Go's text/template that people use with --format: fields, pipelines, a dozen functions, if, range, with, variables no.
// What is not known is an error, never printed as it stands.

import { TeuError } from "@teu/base/errors";

/** Prints a value. */
export type Template = (value: unknown) => string;

/**
 * Compiles a template.
 * @throws TeuError `invalid` for what does not parse, `unsupported` for actions that are not known.
 */
export function compileTemplate(source: string): Template {
  const tokens = tokenize(source);
  const parsed = parseNodes(tokens, 0, source, false);
  return (value) => renderNodes(parsed.nodes, { dot: value, root: value });
}

type Token = { readonly kind: "text" | "action"; readonly text: string };
type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipeline: readonly (readonly string[])[] }
  | {
      readonly kind: "if" | "range" | "with";
      readonly pipeline: readonly (readonly string[])[];
      readonly then: readonly Node[];
      readonly otherwise: readonly Node[];
    };
interface Data {
  readonly dot: unknown;
  readonly root: unknown;
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    const open = source.indexOf("{{", at);
    if (open < 0) return [...tokens, { kind: "text", text: source.slice(at) }];
    const close = actionEnd(source, open + 2);
    if (close < 0) throw bad(source, '"}}" is missing');
    let before = source.slice(at, open);
    let body = source.slice(open + 2, close);
    if (/^-\s/.test(body)) [before, body] = [before.trimEnd(), body.slice(1)];
    at = close + 2;
    if (/\s-$/.test(body)) {
      body = body.slice(0, -1);
      while (/\s/.test(source[at] ?? "")) at++;
    }
    tokens.push({ kind: "text", text: before });
    if (!body.trim().startsWith("/*")) tokens.push({ kind: "action", text: body.trim() });
  }
}

/** Position of the closing braces outside quotes. */
function actionEnd(source: string, start: number): number {
  let quote = "";
  for (let at = start; at < source.length; at++) {
    const char = source[at] ?? "";
    if (quote !== "") {
      if (char === "\\" && quote === '"') at++;
      else if (char === quote) quote = "";
    } else if (char === '"' || char === "`") quote = char;
    else if (source.startsWith("}}", at)) return at;
  }
  return -1;
}

function parseNodes(
  tokens: readonly Token[],
  start: number,
  source: string,
  nested: boolean,
): { nodes: Node[]; next: number; end: string } {
  const nodes: Node[] = [];
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    if (token.kind === "text") {
      if (token.text !== "") nodes.push({ kind: "text", text: token.text });
      continue;
    }
    const [word = ""] = token.text.split(/\s/);
    if (word === "end" || word === "else") {
      if (!nested) throw bad(source, `{{${word}}} has nothing to belong to`);
      return { nodes, next: at + 1, end: word };
    }
    if (word === "if" || word === "range" || word === "with") {
      const then = parseNodes(tokens, at + 1, source, true);
      const otherwise =
        then.end === "else"
          ? parseNodes(tokens, then.next, source, true)
          : { nodes: [], next: then.next, end: then.end };
      nodes.push({
        kind: word,
        pipeline: parsePipeline(token.text.slice(word.length), source),
        then: then.nodes,
        otherwise: otherwise.nodes,
      });
      at = otherwise.next - 1;
      continue;
    }
    if (["define", "template", "block", "break", "continue"].includes(word) || token.text.includes(":=")) {
      throw new TeuError({
        code: "unsupported",
        op: "read template",
        subject: source,
        message: `{{${word}}} is not supported`,
        hint: "use fields, if, range, with, and the functions json, upper, lower, join, split, len, index, printf, println",
      });
    }
    nodes.push({ kind: "print", pipeline: parsePipeline(token.text, source) });
  }
  if (nested) throw bad(source, "{{end}} is missing");
  return { nodes, next: tokens.length, end: "" };
}

/** Commands of words, divided by "|". */
function parsePipeline(text: string, source: string): string[][] {
  const words = text.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|\(|\)|\||[^\s|()]+/g) ?? [];
  const commands: string[][] = [[]];
  for (const word of words) {
    if (word === "|") commands.push([]);
    else commands.at(-1)?.push(word);
  }
  if (commands.some((command) => command.length === 0)) throw bad(source, "an action is empty");
  return commands;
}

function renderNodes(nodes: readonly Node[], data: Data): string {
  return nodes.map((node) => renderNode(node, data)).join("");
}

function renderNode(node: Node, data: Data): string {
  if (node.kind === "text") return node.text;
  const value = evaluate(node.pipeline, data);
  if (node.kind === "print") return show(value);
  if (node.kind === "range") {
    const items = Array.isArray(value)
      ? value
      : isRecord(value)
        ? Object.keys(value)
            .sort()
            .map((key) => value[key])
        : [];
    return items.length === 0
      ? renderNodes(node.otherwise, data)
      : items.map((item: unknown) => renderNodes(node.then, { ...data, dot: item })).join("");
  }
  if (!truthy(value)) return renderNodes(node.otherwise, data);
  return renderNodes(node.then, node.kind === "with" ? { ...data, dot: value } : data);
}

function evaluate(pipeline: readonly (readonly string[])[], data: Data): unknown {
  let piped: unknown[] = [];
  for (const command of pipeline) piped = [evaluateCommand(command, data, piped)];
  return piped[0];
}

function evaluateCommand(words: readonly string[], data: Data, piped: readonly unknown[]): unknown {
  const [head = "", ...rest] = words;
  const run = Object.hasOwn(FUNCTIONS, head) ? FUNCTIONS[head] : undefined;
  if (run === undefined) {
    if (rest.length > 0 && head !== "(")
      throw new TeuError({
        code: "unsupported",
        op: "read template",
        subject: head,
        message: "this is not a known function",
      });
    return operands(words, data)[0];
  }
  return run([...operands(rest, data), ...piped]);
}

/** Values of words; parentheses hold a pipeline of their own. */
function operands(words: readonly string[], data: Data): unknown[] {
  const out: unknown[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word !== "(") {
      out.push(operand(word, data));
      continue;
    }
    let depth = 1;
    let end = at + 1;
    for (; end < words.length && depth > 0; end++) depth += words[end] === "(" ? 1 : words[end] === ")" ? -1 : 0;
    out.push(evaluateCommand(words.slice(at + 1, end - 1), data, []));
    at = end - 1;
  }
  return out;
}

function operand(word: string, data: Data): unknown {
  if (word.startsWith('"')) return JSON.parse(word) as string;
  if (word.startsWith("`")) return word.slice(1, -1);
  if (/^-?\d+(?:\.\d+)?$/.test(word)) return Number(word);
  if (word === "true" || word === "false") return word === "true";
  if (word === "nil") return null;
  if (word.startsWith("$")) return field(data.root, word.slice(1));
  if (word.startsWith(".")) return field(data.dot, word);
  throw new TeuError({
    code: "invalid",
    op: "read template",
    subject: word,
    message: "this is neither a field nor a known function",
    hint: "fields begin with a dot: {{.ID}}",
  });
}

function field(value: unknown, path: string): unknown {
  let at = value;
  for (const name of path.split(".").filter((part) => part !== "")) {
    if (!isRecord(at))
      throw new TeuError({
        code: "invalid",
        op: "print template",
        subject: path,
        message:
          at === undefined || at === null
            ? `nothing to take ${JSON.stringify(name)} from`
            : `${JSON.stringify(name)} asked of something without fields`,
      });
    if (Object.hasOwn(at, name)) at = at[name];
    else if (FIXED_FIELDS.has(at))
      throw new TeuError({
        code: "invalid",
        op: "print template",
        subject: path,
        message: `there is no field ${JSON.stringify(name)}`,
        hint: `fields: ${Object.keys(at).join(", ")}`,
      });
    else at = undefined;
  }
  return at;
}

const FIXED_FIELDS = new WeakSet<object>();

/** Marks a row whose fields are all there are: a wrong name in a template is then an error that lists them. */
export function fixedFields<T extends object>(row: T): T {
  FIXED_FIELDS.add(row);
  return row;
}

const FUNCTIONS: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  json: ([value]) => JSON.stringify(value ?? null),
  upper: ([text]) => show(text).toUpperCase(),
  lower: ([text]) => show(text).toLowerCase(),
  title: ([text]) => show(text).replace(/\b\w/g, (char) => char.toUpperCase()),
  join: ([list, glue]) => (Array.isArray(list) ? list.map(show).join(show(glue)) : ""),
  split: ([text, glue]) => show(text).split(show(glue)),
  len: ([value]) =>
    Array.isArray(value) || typeof value === "string" ? value.length : isRecord(value) ? Object.keys(value).length : 0,
  index: ([value, ...keys]) =>
    keys.reduce<unknown>(
      (at, key) =>
        Array.isArray(at)
          ? at[Number(key)]
          : isRecord(at) && Object.hasOwn(at, String(key))
            ? at[String(key)]
            : undefined,
      value,
    ),
  println: (args) => `${args.map(show).join(" ")}\n`,
  print: (args) => args.map(show).join(""),
  printf: ([form, ...args]) => format(show(form), args),
  truncate: ([text, length]) => show(text).slice(0, Number(length)),
  not: ([value]) => !truthy(value),
  and: (args) => args.find((arg) => !truthy(arg)) ?? args.at(-1),
  or: (args) => args.find(truthy) ?? args.at(-1),
  eq: ([first, ...rest]) => rest.some((other) => other === first),
  ne: ([a, b]) => a !== b,
  lt: ([a, b]) => Number(a) < Number(b),
  gt: ([a, b]) => Number(a) > Number(b),
};

function format(form: string, args: readonly unknown[]): string {
  let next = 0;
  return form.replace(/%(-?\d+)?([sdvqx%])/g, (_, width: string | undefined, verb: string) => {
    if (verb === "%") return "%";
    const value = args[next++];
    const text =
      verb === "q"
        ? JSON.stringify(show(value))
        : verb === "x" && typeof value === "number"
          ? value.toString(16)
          : show(value);
    if (width === undefined) return text;
    return Number(width) < 0 ? text.padEnd(-Number(width)) : text.padStart(Number(width));
  });
}

/** As Go prints values. */
function show(value: unknown): string {
  if (value === undefined || value === null) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(show).join(" ")}]`;
  if (isRecord(value))
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${show(value[key])}`)
      .join(" ")}]`;
  return String(value);
}

function truthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== "";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function bad(source: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "read template", subject: source, message });
}
