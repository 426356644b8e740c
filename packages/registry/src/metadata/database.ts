// One SQLite connection of the registry: opening with migrations, prepared statements by text, transactions, errors by code.
// Calls are synchronous and short; a transaction never spans an await.

import { backup, DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { type ErrorCode, isTeuError, TeuError } from "@teu/base/errors";

import { MIGRATIONS } from "./schema.ts";

/** A row as SQLite gives it. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

const BUSY_TIMEOUT = 10_000;

/** Primary result codes of SQLite (sqlite.org, "Result and Error Codes"). */
const CODES: Readonly<Record<number, ErrorCode>> = {
  3: "denied",
  5: "unavailable",
  6: "unavailable",
  8: "denied",
  10: "unavailable",
  11: "corrupt",
  13: "exhausted",
  14: "denied",
  26: "corrupt",
};

/** An open index database. */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements: Map<string, StatementSync> = new Map();
  readonly #version: StatementSync;
  #depth = 0;
  /** `foreignVersion` as it was looked up in this turn of the event loop. */
  #looked: { readonly version: number; readonly writes: number } | undefined;
  /** Changes by all connections of this process. */
  static #writes = 0;

  private constructor(db: DatabaseSync) {
    this.#db = db;
    this.#version = db.prepare("PRAGMA data_version");
  }

  /**
   * Opens or makes a database; ":memory:" for one that dies with the process.
   * @throws TeuError `unsupported` when a newer version wrote it, `denied`, `corrupt`, `exhausted`.
   */
  static open(path: string): Database {
    return guarded("open registry index", path, () => {
      const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT, enableForeignKeyConstraints: true });
      try {
        // FULL: a push that was acknowledged survives a power cut.
        db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864");
        migrate(db, path);
        return new Database(db);
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  /**
   * Changes whenever another connection has changed the database. Looked up once in a turn of the event loop: what is asked within
   * one turn was there when it began, before whatever another process did meanwhile.
   */
  get foreignVersion(): number {
    if (this.#looked?.writes === Database.#writes) return this.#looked.version;
    if (this.#looked === undefined) setImmediate(() => (this.#looked = undefined));
    const version = this.#version.get()?.["data_version"] as number;
    this.#looked = { version, writes: Database.#writes };
    return version;
  }

  /** The first row. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return guarded("read registry index", undefined, () => this.#prepare(sql).get(...values));
  }

  /** All rows. */
  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return guarded("read registry index", undefined, () => this.#prepare(sql).all(...values));
  }

  /** The first column of all rows, which is text: half of the time that rows as objects take. */
  texts(sql: string, ...values: SQLInputValue[]): string[] {
    return guarded("read registry index", undefined, () => {
      const rows = this.#prepare(sql, true).all(...values) as unknown as [string][];
      return rows.map(([text]) => text);
    });
  }

  /** Returns how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    Database.#writes++;
    return guarded("write registry index", undefined, () => Number(this.#prepare(sql).run(...values).changes));
  }

  /** Runs `body` as one durable transaction; an exception undoes it. Nested calls join the outer one. */
  transaction<T>(body: () => T): T {
    return this.#transaction(body);
  }

  /** As `transaction`, but a power cut may undo it: seen by every process at once, and without waiting for the disk. */
  quickTransaction<T>(body: () => T): T {
    if (this.#depth > 0) return body();
    this.#db.exec("PRAGMA synchronous = NORMAL");
    try {
      return this.#transaction(body);
    } finally {
      this.#db.exec("PRAGMA synchronous = FULL");
    }
  }

  /** As `quickTransaction`, for what would be nice to be noted: on a full disk it is not, and undefined is returned. */
  quickNote<T>(body: () => T): T | undefined {
    try {
      return this.quickTransaction(body);
    } catch (error) {
      if (isTeuError(error, "exhausted")) return undefined;
      throw error;
    }
  }

  /** What is wrong with the file as a database. */
  faults(): string[] {
    const integrity = this.all("PRAGMA integrity_check(20)").map((row) => String(row["integrity_check"]));
    const dangling = this.all("PRAGMA foreign_key_check").map(
      (row) => `a row of ${String(row["table"])} refers to no ${String(row["parent"])}`,
    );
    return [...integrity.filter((text) => text !== "ok"), ...dangling];
  }

  /** Writes a copy of the whole as it is now into a new file; others may write meanwhile. */
  async copyTo(file: string): Promise<void> {
    try {
      await backup(this.#db, file);
    } catch (error) {
      throw databaseError("copy registry index", file, error);
    }
  }

  #transaction<T>(body: () => T): T {
    if (this.#depth > 0) return body();
    guarded("write registry index", undefined, () => this.#db.exec("BEGIN IMMEDIATE"));
    this.#depth++;
    Database.#writes++;
    try {
      const result = body();
      guarded("write registry index", undefined, () => this.#db.exec("COMMIT"));
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    } finally {
      this.#depth--;
    }
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #prepare(sql: string, arrays: boolean = false): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      this.#statements.set(sql, (statement = this.#db.prepare(sql)));
      statement.setReturnArrays(arrays);
    }
    return statement;
  }
}

function migrate(db: DatabaseSync, path: string): void {
  const version = db.prepare("PRAGMA user_version").get()?.["user_version"] as number;
  if (version > MIGRATIONS.length) {
    throw new TeuError({
      code: "unsupported",
      op: "open registry index",
      subject: path,
      message: `its schema has version ${version}, this program knows ${MIGRATIONS.length}`,
      hint: "use the newer program that wrote it",
    });
  }
  if (version === MIGRATIONS.length) return;
  // Another process may be doing the same: only within the transaction the version is certain.
  db.exec("BEGIN IMMEDIATE");
  let next = db.prepare("PRAGMA user_version").get()?.["user_version"] as number;
  for (; next < MIGRATIONS.length; next++) {
    db.exec(`${MIGRATIONS[next]}; PRAGMA user_version = ${next + 1}`);
  }
  db.exec("COMMIT");
}

function guarded<T>(op: string, subject: string | undefined, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw databaseError(op, subject, error);
  }
}

function databaseError(op: string, subject: string | undefined, error: unknown): TeuError {
  if (isTeuError(error)) return error;
  const code = CODES[((error as { errcode?: number }).errcode ?? 0) & 0xff] ?? "internal";
  return new TeuError({
    code,
    op,
    ...(subject === undefined ? {} : { subject }),
    message: "database refused",
    cause: error,
  });
}
