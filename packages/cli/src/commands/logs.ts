// logs: what a container has written.

import type { LogsOptions } from "@teu/engine/containers/containers";
import type { Command, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { parseMoment } from "../output/human-time.ts";

/** `teu logs`. */
export const command: Command = {
  usage: "logs [OPTIONS] CONTAINER",
  summary: "Show the output of a container",
  options: [
    { long: "follow", short: "f", help: "Go on until the container has ended" },
    { long: "since", value: "string", help: 'Only from then on ("10m", a date, seconds since 1970)' },
    { long: "tail", short: "n", value: "string", help: 'Only the last lines (default "all")' },
    { long: "timestamps", short: "t", help: "Show when each line was written" },
    { long: "until", value: "string", help: "Only before then" },
  ],
  unsupported: ["details"],
  args: [1, 1],
  examples: ["teu logs web", "teu logs -f --tail 20 web"],
  run: async (context, input) => {
    const options = readOptions(input, context.scope.now());
    const stamp = input.flag("timestamps");
    await using engine = await context.engine();
    for await (const entry of engine.containers.logs(context.scope, input.args[0] ?? "", options)) {
      const output = entry.stream === "stdout" ? context.io.stdout : context.io.stderr;
      await output.send(stamp ? `${entry.time} ${entry.text}` : entry.text);
    }
    return 0;
  },
};

function readOptions(input: CommandInput, now: number): LogsOptions {
  const tail = input.text("tail");
  if (tail !== undefined && tail !== "all" && !/^-?\d{1,9}$/.test(tail))
    throw usageError(`--tail=${tail} is not a number of lines`, { fallback: "write --tail 100, or all" });
  const [since, until] = [moment(input, "since", now), moment(input, "until", now)];
  return {
    follow: input.flag("follow"),
    ...(tail === undefined || tail === "all" || Number(tail) < 0 ? {} : { tail: Number(tail) }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

function moment(input: CommandInput, flag: string, now: number): number | undefined {
  const text = input.text(flag);
  if (text === undefined) return undefined;
  const at = parseMoment(text, now);
  if (at === null)
    throw usageError(`--${flag}=${text} is not a time`, {
      fallback: 'write "10m", "2026-01-02T03:04:05Z" or seconds since 1970',
    });
  return at;
}
