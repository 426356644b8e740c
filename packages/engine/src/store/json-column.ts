// Reads JSON columns. What is in them was written by store/ from typed values, so a bad one means a damaged database.

import { TeuError } from "@teu/base/errors";
import type { Row } from "./database.ts";

/** The parsed value of a JSON column. `corrupt` when it is not JSON. */
export function jsonColumn<T>(row: Row, column: string): T {
  const text = row[column];
  try {
    return JSON.parse(String(text)) as T;
  } catch (cause) {
    throw new TeuError({
      code: "corrupt",
      op: "read database",
      subject: column,
      message: "column does not hold JSON",
      cause,
    });
  }
}

/** A text column; null stays null. */
export function textOrNull(row: Row, column: string): string | null {
  const value = row[column];
  return typeof value === "string" ? value : null;
}
