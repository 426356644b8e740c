// Reads TOML files of other programs (hosts.toml, registries.conf). The parser is loaded only when there is a file.

import { readFile } from "node:fs/promises";
import { TeuError } from "@teu/base/errors";

/** A table of a TOML document. */
export type Table = Readonly<Record<string, unknown>>;

const SIZE_LIMIT = 1 << 20;

/** The document; null when there is no file. @throws TeuError `invalid`, `denied` for a file that cannot be read. */
export async function readTomlFile(op: string, file: string): Promise<Table | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw new TeuError({ code: "denied", op, subject: file, message: "it cannot be read", cause });
  }
  return parseToml(op, file, text);
}

/** @throws TeuError `invalid`. */
export async function parseToml(op: string, file: string, text: string): Promise<Table> {
  if (text.length > SIZE_LIMIT) throw badFile(op, file, "it is larger than 1 MiB");
  const { parse, TomlError } = await import("smol-toml");
  try {
    return parse(text, { unsafeKeyBehaviour: "throw", maxDepth: 20 });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw badFile(op, file, `line ${cause.line} is not TOML`, cause);
  }
}

/** Reads the values of one table, each checked; what is wrong is named with the file. */
export class TableReader {
  readonly #op: string;
  readonly #file: string;
  readonly #at: string;
  readonly #table: Table;

  /** `at`: the table's place in the file, for errors; "" for the document. */
  constructor(op: string, file: string, table: Table, at: string = "") {
    this.#op = op;
    this.#file = file;
    this.#table = table;
    this.#at = at;
  }

  text(key: string): string | undefined {
    return this.#get(key, "text", (value) => (typeof value === "string" ? value : undefined));
  }

  flag(key: string): boolean | undefined {
    return this.#get(key, "true or false", (value) => (typeof value === "boolean" ? value : undefined));
  }

  /** A list of texts. */
  texts(key: string): readonly string[] | undefined {
    return this.#get(key, "a list of texts", (value) => (isTexts(value) ? value : undefined));
  }

  /** One text or a list of them. */
  textOrTexts(key: string): readonly string[] | undefined {
    return this.#get(key, "text, or a list of texts", (value) =>
      typeof value === "string" ? [value] : isTexts(value) ? value : undefined,
    );
  }

  /** One text, or a list of texts and of pairs of them: every entry as a list. */
  textOrPairs(key: string): readonly (readonly string[])[] | undefined {
    return this.#get(key, "text, or a list of texts or of pairs", (value) => {
      if (typeof value === "string") return [[value]];
      if (!Array.isArray(value)) return undefined;
      const entries = value.map((entry) => (typeof entry === "string" ? [entry] : entry));
      return entries.every((entry) => isTexts(entry) && entry.length > 0 && entry.length <= 2) ? entries : undefined;
    });
  }

  /** The tables below a key: name and reader of each, in the order of the file. */
  tables(key: string): readonly (readonly [string, TableReader])[] {
    const found = this.#get(key, "a table", (value) => (isTable(value) ? value : undefined)) ?? {};
    return Object.entries(found).map(([name, value]) => {
      const at = this.#path(`${key}.${JSON.stringify(name)}`);
      if (!isTable(value)) throw badFile(this.#op, this.#file, `${at} must be a table`);
      return [name, new TableReader(this.#op, this.#file, value, at)];
    });
  }

  /** An array of tables. */
  list(key: string): readonly TableReader[] {
    const found = this.#get(key, "a list of tables", (value) =>
      Array.isArray(value) && value.every(isTable) ? value : undefined,
    );
    return (found ?? []).map((table, i) => new TableReader(this.#op, this.#file, table, this.#path(`${key}[${i}]`)));
  }

  /** The one table below a key. */
  table(key: string): TableReader {
    const found = this.#get(key, "a table", (value) => (isTable(value) ? value : undefined)) ?? {};
    return new TableReader(this.#op, this.#file, found, this.#path(key));
  }

  keys(): readonly string[] {
    return Object.keys(this.#table);
  }

  /** @throws TeuError `invalid` about a key of this table, always. */
  refuse(key: string, message: string): never {
    throw badFile(this.#op, this.#file, `${this.#path(key)} ${message}`);
  }

  #get<T>(key: string, what: string, read: (value: unknown) => T | undefined): T | undefined {
    const value = Object.hasOwn(this.#table, key) ? this.#table[key] : undefined;
    if (value === undefined) return undefined;
    return read(value) ?? this.refuse(key, `must be ${what}`);
  }

  #path(key: string): string {
    return this.#at === "" ? key : `${this.#at}.${key}`;
  }
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function badFile(op: string, subject: string, message: string, cause?: unknown): TeuError {
  return new TeuError({ code: "invalid", op, subject, message, ...(cause === undefined ? {} : { cause }) });
}
