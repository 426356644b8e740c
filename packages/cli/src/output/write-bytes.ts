// Bytes to stdout, or to a file that appears when all of them are there.

import { pipeline } from "node:stream/promises";
import { WholeFile } from "@teu/files/whole-file";
import type { CommandContext } from "../command.ts";

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
