// One line from a client to `ShimRequest`: strict, since the socket's other end is only trusted to be the same user.
// portable: no host types here.

import { parseJson } from "@teu/specs/json";
import type { ShimRequest } from "../protocol.ts";
import { FieldReader } from "./field-reader.ts";

/** Bytes of a request line at most: an exec carries a whole process object. */
export const REQUEST_LIMIT: number = 1 << 20;

const OPS = ["state", "start", "signal", "wait", "attach", "exec", "resize", "pause", "resume"] as const;

/** @throws TeuError `invalid` with path and value. */
export function parseRequest(line: string): ShimRequest {
  const value = parseJson(line, { document: "request", maxLength: REQUEST_LIMIT, maxDepth: 32 });
  const fields = new FieldReader(value, { op: "read request", path: "" });
  const request = parseOp(fields, fields.oneOf("op", OPS));
  fields.end();
  return request;
}

function parseOp(fields: FieldReader, op: (typeof OPS)[number]): ShimRequest {
  switch (op) {
    case "signal":
      return { op, signal: fields.integer("signal", 1, 64), all: fields.flag("all") };
    case "attach":
      return { op, ...streams(fields), wait: fields.flag("wait") };
    case "exec":
      return { op, process: parseProcess(fields), ...streams(fields), detach: fields.boolean("detach") };
    case "resize":
      return { op, ...parseSize(fields) };
    default:
      return { op };
  }
}

function streams(fields: FieldReader): { stdin: boolean; stdout: boolean; stderr: boolean } {
  return { stdin: fields.boolean("stdin"), stdout: fields.boolean("stdout"), stderr: fields.boolean("stderr") };
}

/** Rows and columns, as winsize has room for. */
export function parseSize(fields: FieldReader): { rows: number; columns: number } {
  return { rows: fields.integer("rows", 0, 65535), columns: fields.integer("columns", 0, 65535) };
}

// The runtime validates the rest: it is the one that acts on it.
function parseProcess(fields: FieldReader): unknown {
  const process = fields.unknown("process");
  const inner = fields.object("process");
  inner.flag("terminal");
  return process;
}
