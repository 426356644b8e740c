// teu.db: one SQLite connection with the settings, migrations and error codes that all of store/ relies on.
// Calls are synchronous and short by design: a transaction never spans an await.

import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { TeuError } from "@teu/base/errors";
import { MIGRATIONS } from "./schema.ts";

/** A row as SQLite gives it. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** How long a process waits for another one's transaction, milliseconds. */
const BUSY_TIMEOUT = 10_000;

/** An open database. Owned and closed by the engine. */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  /** Closed after `#db`: the last writer to close would copy the log into the database and sync both, in every short command. */
  readonly #guard: DatabaseSync | null;
  readonly #statements: Map<string, StatementSync> = new Map();
  #depth = 0;

  private constructor(db: DatabaseSync, guard: DatabaseSync | null) {
    this.#db = db;
    this.#guard = guard;
  }

  /**
   * Opens or makes the database and brings its schema up to date.
   * @throws TeuError `unsupported` when a newer teu wrote it, `corrupt`, `denied`, `exhausted`.
   */
  static open(path: string): Database {
    return guarded("open database", path, () => {
      const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT, enableForeignKeyConstraints: true });
      try {
        migrate(db, path);
        // In WAL mode NORMAL cannot corrupt; it may lose the last transactions at a power cut. `transaction(durable)` asks for more.
        db.exec("PRAGMA synchronous = NORMAL");
      } catch (error) {
        db.close();
        throw error;
      }
      return new Database(db, path === ":memory:" ? null : readerOf(path));
    });
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return guarded("read database", undefined, () => this.#prepare(sql).get(...values));
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return guarded("read database", undefined, () => this.#prepare(sql).all(...values));
  }

  /** Returns how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return guarded("write database", undefined, () => Number(this.#prepare(sql).run(...values).changes));
  }

  /**
   * Runs `body` as one transaction with the write lock held from the start; an exception undoes it. Nested calls join the outer one.
   * `durable`: on disk before this returns (one fsync).
   */
  transaction<T>(body: () => T, durable = false): T {
    if (this.#depth > 0) return body();
    if (durable) this.#db.exec("PRAGMA synchronous = FULL");
    try {
      guarded("begin transaction", undefined, () => this.#db.exec("BEGIN IMMEDIATE"));
      this.#depth++;
      try {
        const result = body();
        guarded("commit transaction", undefined, () => this.#db.exec("COMMIT"));
        return result;
      } catch (error) {
        // A full disk makes SQLite roll back by itself; a second ROLLBACK would only hide the first error.
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      } finally {
        this.#depth--;
      }
    } finally {
      if (durable) this.#db.exec("PRAGMA synchronous = NORMAL");
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
    if (this.#guard?.isOpen === true) this.#guard.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** A connection that cannot write, and so leaves the log as it is. It has joined the log only once it has read. */
function readerOf(path: string): DatabaseSync {
  const reader = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT });
  reader.prepare("SELECT 1 FROM lease LIMIT 1").get();
  return reader;
}

function migrate(db: DatabaseSync, path: string): void {
  const version = () => Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version() < MIGRATIONS.length) {
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("BEGIN IMMEDIATE");
    try {
      // Read again: another process may have migrated while this one waited for the lock.
      for (let next = version(); next < MIGRATIONS.length; next++) db.exec(MIGRATIONS[next] ?? "");
      if (version() < MIGRATIONS.length) db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
      db.exec("COMMIT");
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      throw error;
    }
  }
  if (version() > MIGRATIONS.length) {
    throw new TeuError({
      code: "unsupported",
      op: "open database",
      subject: path,
      message: `schema version ${version()} is newer than ${MIGRATIONS.length}, the one this teu knows`,
      hint: "use the newer teu, or another --root",
    });
  }
}

/** SQLite's primary result codes that mean something to a caller. */
const CODES: Readonly<Record<number, "unavailable" | "exhausted" | "corrupt" | "denied" | "already-exists">> = {
  3: "denied",
  5: "unavailable",
  6: "unavailable",
  8: "denied",
  11: "corrupt",
  13: "exhausted",
  14: "denied",
  19: "already-exists",
  26: "corrupt",
};

function guarded<T>(op: string, subject: string | undefined, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const number = (error as { errcode?: unknown }).errcode;
    if (typeof number !== "number") throw error;
    const code = CODES[number & 0xff] ?? "internal";
    const hints: Readonly<Record<string, string>> = {
      exhausted: "free space on the file system of --root",
      unavailable: "another process holds the database; try again",
    };
    throw new TeuError({
      code,
      op,
      message: (error as Error).message,
      detail: { sqlite: number },
      ...(subject === undefined ? {} : { subject }),
      ...(hints[code] === undefined ? {} : { hint: hints[code] }),
    });
  }
}
