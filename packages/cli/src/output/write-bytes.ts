// Bytes to stdout, or to a file that appears when all of them are there.

import { pipeline } from "node:stream/promises";
import { WholeFile } from "@teu/files/whole-file";
import { createPoolDigester, type Digest } from "@teu/image/digest";
import type { CommandContext, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";

/** A file, as JSON tells of it. */
export interface WrittenFile {
  readonly file: string;
  readonly digest: Digest;
  readonly size: number;
}

/** The file of --output, without which JSON would be among the bytes. @throws TeuError `invalid` (usage). */
export function fileForJson(input: CommandInput): string {
  const output = input.text("output");
  if (output !== undefined) return output;
  throw usageError("JSON cannot go to stdout where the bytes go", {
    fallback: "use -o FILE, or do without JSON",
  });
}

/** As `writeBytes` to a file, and what is in it. */
export async function writeDescribed(
  context: CommandContext,
  bytes: AsyncIterable<Uint8Array>,
  file: string,
  op: string,
): Promise<WrittenFile> {
  const digester = createPoolDigester();
  const hashed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      await digester.update(chunk);
      yield chunk;
    }
  };
  await writeBytes(context, hashed(), file, op);
  return { file, digest: digester.digest(), size: digester.size };
}

/** `output`: the file; undefined: stdout. `op` names the action in errors. */
export async function writeBytes(
  context: CommandContext,
  bytes: AsyncIterable<Uint8Array>,
  output: string | undefined,
  op: string,
): Promise<void> {
  const { scope } = context;
  if (output === undefined)
    return await pipeline(bytes, context.io.stdout.stream, { end: false, signal: scope.signal });
  await using file = await WholeFile.create(output);
  for await (const chunk of bytes) {
    scope.check(op);
    await file.write(chunk);
  }
  await file.publish();
}
