// info: numbers and settings of this host's engine.

import { cpus, release, totalmem } from "node:os";
import { formatSize } from "@teu/base/bytes";
import type { Command } from "../command.ts";
import { compileTemplate } from "../output/template.ts";
import { VERSION } from "../version-text.ts";

/** `teu info`. */
export const command: Command = {
  usage: "info [OPTIONS]",
  summary: "Show numbers and settings of this host",
  options: [{ long: "format", short: "f", value: "string", help: '"json" or a Go template' }],
  args: [0, 0],
  examples: ["teu info", "teu info --format '{{.Images}}'"],
  run: async (context, input) => {
    await using engine = await context.engine();
    const info = await engine.info(context.scope);
    const { running, paused, stopped } = info.containers;
    const facts = {
      Containers: running + paused + stopped,
      ContainersRunning: running,
      ContainersPaused: paused,
      ContainersStopped: stopped,
      Images: info.images,
      Layers: info.layers,
      ServerVersion: VERSION,
      Driver: "overlay",
      KernelVersion: release(),
      NCPU: cpus().length,
      MemTotal: totalmem(),
      DefaultRuntime: info.defaultRuntime,
      Runtimes: info.runtimes,
      Shim: info.shim,
      Root: info.root,
      RunRoot: info.runroot,
    };
    const format = input.text("format");
    if (format === "json") context.print(JSON.stringify(facts));
    else if (format !== undefined) context.print(compileTemplate(format)(facts));
    else {
      for (const line of [
        `Version: ${VERSION}`,
        `Containers: ${facts.Containers}`,
        ` Running: ${running}`,
        ` Paused: ${paused}`,
        ` Stopped: ${stopped}`,
        `Images: ${info.images}`,
        `Layers: ${info.layers}`,
        "Storage Driver: overlay",
        "Runtimes:",
        ...Object.entries(info.runtimes).map(([name, path]) => ` ${name}: ${path}`),
        `Default Runtime: ${info.defaultRuntime}`,
        `Shim: ${info.shim ?? "not found"}`,
        `Kernel Version: ${facts.KernelVersion}`,
        `CPUs: ${facts.NCPU}`,
        `Total Memory: ${formatSize(facts.MemTotal)}`,
        `Root: ${info.root}`,
        `Run Root: ${info.runroot}`,
      ])
        context.print(line);
    }
    return 0;
  },
};
