// inspect: everything about containers and images, as JSON or by template.

import { isTeuError, TeuError } from "@teu/base/errors";
import type { Engine } from "@teu/engine/engine";
import { parsePlatform } from "@teu/image/platform";
import type { Command, CommandContext } from "../command.ts";
import { placeElsewhere } from "../images/image-place.ts";
import { usageError } from "../grammar/usage-error.ts";
import { printError } from "../output/print-error.ts";
import { compileTemplate } from "../output/template.ts";
import { ACCESS_OPTIONS, accessOf } from "../transports/copy-options.ts";
import type { PlaceAccess } from "../transports/open-place.ts";

/** `teu inspect`. */
export const command: Command = {
  usage: "inspect [OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Show everything about containers and images",
  description:
    "An image may also be elsewhere: docker://NAME, oci:DIR, oci-archive:FILE, docker-archive:FILE, dir:DIR and docker-daemon:NAME as `teu copy` takes them. Then its manifest and config are read, no layer, and its size is that of the layers as they are stored.",
  options: [
    ...ACCESS_OPTIONS,
    { long: "format", short: "f", value: "string", help: '"json" or a Go template' },
    { long: "platform", value: "string", help: 'Images: the one for this platform ("linux/arm64")' },
    { long: "type", value: "string", help: '"container" or "image"; default: whichever has the name' },
  ],
  unsupported: ["size"],
  args: [1, Number.POSITIVE_INFINITY],
  examples: [
    "teu inspect web",
    "teu inspect -f '{{.State.Pid}}' web",
    "teu inspect --type image busybox",
    "teu inspect docker://localhost:5000/hello:1.0",
  ],
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
    const wanted = { type, access: accessOf(input), ...(platform === undefined ? {} : { platform }) };
    const format = input.text("format");
    const template = format === undefined || format === "json" ? null : compileTemplate(format);
    await using here = new Here(context);
    const found: unknown[] = [];
    let failed = false;
    for (const name of input.args) {
      try {
        found.push(await look(context, here, name, wanted));
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

/** The engine, opened when something is looked for in it. */
class Here implements AsyncDisposable {
  readonly #context: CommandContext;
  #engine: Engine | undefined;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  async engine(): Promise<Engine> {
    this.#engine ??= await this.#context.engine();
    return this.#engine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine?.[Symbol.asyncDispose]();
  }
}

interface Wanted {
  readonly type: string | undefined;
  readonly access: PlaceAccess;
  readonly platform?: string;
}

async function look(
  context: CommandContext,
  here: Here,
  name: string,
  { type, access, ...options }: Wanted,
): Promise<unknown> {
  const place = type === "container" ? null : placeElsewhere(name);
  if (place !== null) {
    const { lookElsewhere } = await import("../images/image-elsewhere.ts");
    return (await lookElsewhere(context, place, access, options.platform)).facts;
  }
  const engine = await here.engine();
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
