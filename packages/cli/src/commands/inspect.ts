// inspect: everything about containers and images, as JSON or by template.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Engine } from "@teu/engine/engine";
import { parsePlatform } from "@teu/image/platform";
import type { Command, CommandContext } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { printError } from "../output/print-error.ts";
import { compileTemplate } from "../output/template.ts";

/** `teu inspect`. */
export const command: Command = {
  usage: "inspect [OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Show everything about containers and images",
  options: [
    { long: "format", short: "f", value: "string", help: '"json" or a Go template' },
    { long: "platform", value: "string", help: 'Images: the one for this platform ("linux/arm64")' },
    { long: "type", value: "string", help: '"container" or "image"; default: whichever has the name' },
  ],
  unsupported: ["size"],
  args: [1, Number.POSITIVE_INFINITY],
  examples: ["teu inspect web", "teu inspect -f '{{.State.Pid}}' web", "teu inspect --type image busybox"],
  run: async (context, input) => {
    const type = input.text("type");
    if (type !== undefined && type !== "container" && type !== "image")
      throw usageError(`the type ${JSON.stringify(type)} is not known`, {
        word: type,
        known: ["container", "image"],
        fallback: "use container or image",
      });
    const platform = input.text("platform");
    if (platform !== undefined) parsePlatform(platform);
    const wanted = { type, ...(platform === undefined ? {} : { platform }) };
    const format = input.text("format");
    const template = format === undefined || format === "json" ? null : compileTemplate(format);
    await using engine = await context.engine();
    const found: unknown[] = [];
    let failed = false;
    for (const name of input.args) {
      try {
        found.push(await look(context, engine, name, wanted));
      } catch (error) {
        failed = true;
        printError(context.io.stderr, error, context.debug);
      }
    }
    if (template !== null) for (const value of found) context.print(template(value));
    else context.print(format === "json" ? JSON.stringify(found) : JSON.stringify(found, null, 4));
    return failed ? 1 : 0;
  },
};

interface Wanted {
  readonly type: string | undefined;
  readonly platform?: string;
}

async function look(
  context: CommandContext,
  engine: Engine,
  name: string,
  { type, ...options }: Wanted,
): Promise<unknown> {
  if (type === "image") return await engine.images.inspect(context.scope, name, options);
  try {
    return await engine.containers.inspect(context.scope, name);
  } catch (error) {
    if (type === "container" || !isTeuError(error, "not-found")) throw error;
  }
  try {
    return await engine.images.inspect(context.scope, name, options);
  } catch (error) {
    if (!isTeuError(error, "not-found")) throw error;
  }
  throw new TeuError({
    code: "not-found",
    op: "inspect",
    subject: name,
    message: "there is no container and no image of this name",
    hint: "see teu ps -a and teu images",
  });
}
