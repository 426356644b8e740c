// build: an image from a Dockerfile.

import { readFile, stat, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { TeuError } from "@teu/base/errors";
import type { BuildOptions } from "@teu/builder/build-options";
import { buildImage } from "@teu/builder/build";
import type { Command, CommandContext, CommandInput } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import { wholeNumber } from "../options/container-options.ts";
import { readBuildArgs } from "../options/name-values.ts";
import { POLICY_OPTION, policyOf } from "../options/signature-policy.ts";
import { buildProgress } from "../output/build-progress.ts";
import { readAllInput } from "../terminal/prompt.ts";

const PROGRESS = ["auto", "plain", "tty", "quiet", "rawjson"] as const;

/** `teu build`. */
export const command: Command = {
  usage: "build [OPTIONS] PATH | -",
  summary: "Build an image from a Dockerfile",
  description:
    'PATH is the context: what COPY and ADD can see. With "-" the Dockerfile is read from stdin and there is no context.',
  options: [
    { long: "add-host", value: "host:ip", repeat: true, help: "Add a line to /etc/hosts of RUN steps" },
    { long: "build-arg", value: "list", repeat: true, help: "Values of ARG lines" },
    { long: "file", short: "f", value: "file", help: 'Dockerfile (default "PATH/Dockerfile"); "-": stdin' },
    { long: "force-rm", help: "Accepted for compatibility: nothing is left behind anyway" },
    { long: "iidfile", value: "file", help: "Write the image's id to this file" },
    { long: "jobs", value: "int", help: "Steps at the same time (default: processors)" },
    { long: "label", value: "list", repeat: true, help: "Labels of the image" },
    { long: "load", help: "Accepted for compatibility: images are always stored here" },
    { long: "network", value: "string", help: 'Network of RUN steps: "default", "none" or "host"' },
    { long: "no-cache", help: "Do every step again" },
    { long: "platform", value: "string", help: 'Platform of the image ("linux/arm64")' },
    { long: "progress", value: "string", help: "auto (default), plain, tty, quiet or rawjson" },
    { long: "pull", help: "Look for newer base images" },
    { long: "quiet", short: "q", help: "Print only the image's id" },
    { long: "rm", on: true, help: "Accepted for compatibility: nothing is left behind anyway" },
    POLICY_OPTION,
    { long: "tag", short: "t", value: "list", repeat: true, help: "Names of the image" },
    { long: "target", value: "string", help: "Stage to build" },
  ],
  unsupported: [
    "allow",
    "annotation",
    "attest",
    "build-context",
    "builder",
    "cache-from",
    "cache-to",
    "call",
    "cgroup-parent",
    "check",
    "compress",
    "cpu-period",
    "cpu-quota",
    "cpu-shares",
    "cpuset-cpus",
    "cpuset-mems",
    "disable-content-trust",
    "isolation",
    "memory",
    "memory-swap",
    "metadata-file",
    "no-cache-filter",
    "output",
    "provenance",
    "push",
    "sbom",
    "secret",
    "security-opt",
    "shm-size",
    "squash",
    "ssh",
    "ulimit",
  ],
  bulk: true,
  args: [1, 1],
  examples: [
    "teu build -t hello .",
    "teu build --target test --build-arg VERSION=2 -f docker/Dockerfile .",
    "teu build - < Dockerfile",
  ],
  run: async (context, input) => {
    const quiet = input.flag("quiet");
    const kind = quiet ? "quiet" : PROGRESS.find((name) => name === (input.text("progress") ?? "auto"));
    if (kind === undefined)
      throw usageError(`--progress=${input.text("progress") ?? ""} is not known`, {
        word: input.text("progress") ?? "",
        known: PROGRESS,
        fallback: `use ${PROGRESS.join(", ")}`,
      });
    const options = await buildOptions(context, input);
    await using engine = await context.engine(policyOf(input));
    const result = await (async () => {
      using progress = buildProgress(context.io.stderr.stream, kind, context.environment.term === "dumb");
      return await buildImage(context.scope, engine, { ...options, progress: (event) => progress.event(event) });
    })();
    for (const warning of result.warnings) context.warn(`teu: warning: ${warning}`);
    const iidfile = input.text("iidfile");
    if (iidfile !== undefined) await writeFile(iidfile, result.imageId);
    if (quiet || !context.io.stdout.isTTY) context.print(result.imageId);
    return 0;
  },
};

async function buildOptions(context: CommandContext, input: CommandInput): Promise<BuildOptions> {
  const path = input.args[0] ?? "";
  const file = input.text("file");
  const [target, platform] = [input.text("target"), input.text("platform")];
  const jobs = wholeNumber(input, "jobs");
  const base = path === "-" ? null : await contextDirectory(path);
  const addHosts = input.list("add-host");
  return {
    context: base,
    dockerfile: await readDockerfile(context, base, file),
    buildArgs: readBuildArgs(input.list("build-arg"), process.env),
    labels: Object.fromEntries(
      input
        .list("label")
        .map((text) => [text.split("=")[0] ?? "", text.includes("=") ? text.slice(text.indexOf("=") + 1) : ""]),
    ),
    tags: input.list("tag"),
    noCache: input.flag("no-cache"),
    pull: input.flag("pull"),
    network: networkOf(input.text("network") ?? "default"),
    ...(addHosts.length === 0 ? {} : { addHosts }),
    ...(target === undefined ? {} : { target }),
    ...(platform === undefined ? {} : { platform }),
    ...(jobs === undefined ? {} : { jobs }),
  };
}

async function contextDirectory(path: string): Promise<string> {
  if (/^(?:https?|git|ssh):\/\/|^git@|\.git(?:#.*)?$/.test(path)) {
    throw new TeuError({
      code: "unsupported",
      op: "build",
      subject: path,
      message: "only directories of this host can be a context",
      hint: "fetch or clone it first",
    });
  }
  const directory = resolve(path);
  const found = await stat(directory).catch(() => null);
  if (found === null)
    throw new TeuError({ code: "not-found", op: "build", subject: path, message: "the context does not exist" });
  if (!found.isDirectory())
    throw new TeuError({
      code: "invalid",
      op: "build",
      subject: path,
      message: "the context is not a directory",
      hint: "name a Dockerfile with -f",
    });
  return directory;
}

async function readDockerfile(
  context: CommandContext,
  base: string | null,
  file: string | undefined,
): Promise<BuildOptions["dockerfile"]> {
  if (file === "-" || base === null) {
    if (base === null && file !== undefined && file !== "-")
      throw usageError('with the context "-" the Dockerfile comes from stdin', { fallback: "leave -f away" });
    return { name: "Dockerfile", text: await readAllInput(context) };
  }
  const path = file === undefined ? resolve(base, "Dockerfile") : resolve(file);
  try {
    const bytes = await readFile(path);
    return {
      name: file ?? "Dockerfile",
      path,
      text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    };
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new TeuError({
      code: missing ? "not-found" : "invalid",
      op: "read Dockerfile",
      subject: file ?? path,
      message: missing ? "no such file" : cause instanceof TypeError ? "not UTF-8" : "it cannot be read",
      ...(missing ? { hint: "name it with -f, or give the directory that holds it" } : {}),
      ...(missing || cause instanceof TypeError ? {} : { cause }),
    });
  }
}

function networkOf(text: string): "bridge" | "none" | "host" {
  if (text === "default" || text === "bridge") return "bridge";
  if (text === "none" || text === "host") return text;
  throw usageError(`--network=${text} is not known`, {
    word: text,
    known: ["default", "none", "host"],
    fallback: "use default, none or host",
  });
}
