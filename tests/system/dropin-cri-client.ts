// As much of gRPC and protocol buffers as it takes to ask containerd's CRI for pods: unary calls, messages given as [field, value].

import { connect as connectHttp, type ClientHttp2Session } from "node:http2";
import { connect } from "node:net";

/** A message: field numbers of runtime/v1/api.proto, and what they hold. A repeated field is named several times. */
export type Message = readonly (readonly [number, string | number | Message])[];
/** What came back: of each field the values, numbers decoded, the rest as bytes. */
export type Fields = ReadonlyMap<number, readonly (number | Buffer)[]>;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

function encode(message: Message): Buffer {
  return Buffer.concat(
    message.flatMap(([field, value]) => {
      if (typeof value === "number") return [varint(field << 3), varint(value)];
      const bytes = typeof value === "string" ? Buffer.from(value) : encode(value);
      return [varint((field << 3) | 2), varint(bytes.length), bytes];
    }),
  );
}

/** Reads a message: varints and what has a length, which is all that CRI uses. */
export function decode(data: Buffer): Fields {
  const fields = new Map<number, (number | Buffer)[]>();
  let at = 0;
  const next = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = data[at++] ?? 0;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  while (at < data.length) {
    const key = next();
    let value: number | Buffer = next();
    if ((key & 7) === 2) {
      at += value;
      value = data.subarray(at - value, at);
    }
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), value]);
  }
  return fields;
}

/** The first value of a field as text; "" when it has none. */
export function text(fields: Fields, field: number): string {
  return String(fields.get(field)?.[0] ?? "");
}

/** The first value of a field as a number; 0 when it has none. */
export function number(fields: Fields, field: number): number {
  return Number(fields.get(field)?.[0] ?? 0);
}

/** The first value of a field as a message. */
export function inner(fields: Fields, field: number): Fields {
  const value = fields.get(field)?.[0];
  return decode(Buffer.isBuffer(value) ? value : Buffer.alloc(0));
}

/** A connection to containerd's socket. */
export class CriClient implements Disposable {
  readonly #session: ClientHttp2Session;

  constructor(socket: string) {
    this.#session = connectHttp("http://localhost", { createConnection: () => connect(socket) });
  }

  /** One call of the runtime service; throws what gRPC says when it fails. */
  call(method: string, message: Message): Promise<Fields> {
    const body = encode(message);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    const stream = this.#session.request({
      ":method": "POST",
      ":path": `/runtime.v1.RuntimeService/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(Buffer.concat([head, body]));
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let failure = "";
      const look = (headers: Readonly<Record<string, unknown>>): void => {
        const status = headers["grpc-status"];
        if (status !== undefined && status !== "0")
          failure = decodeURIComponent(`${method}: ${String(headers["grpc-message"])}`);
      };
      stream.on("response", look).on("trailers", look).on("error", reject);
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        if (failure === "") resolve(decode(Buffer.concat(chunks).subarray(5)));
        else reject(new Error(failure));
      });
    });
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}
