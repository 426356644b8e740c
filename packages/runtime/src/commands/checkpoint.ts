// checkpoint: writes a running container into images, from which `restore` makes it again (CRIU).
// portable: no host types here.

import { isTeuError } from "@teu/base/errors";
import type { Kernel } from "@teu/sys/kernel";
import { isSysError } from "@teu/sys/sys-error";
import { parseSpec } from "@teu/specs/runtime-parse";
import type { Command } from "../cli/command.ts";
import { absolutePath } from "../cli/environment.ts";
import type { FlagValues } from "../cli/flags.ts";
import { StateDirectory } from "../container/record.ts";
import { statusOf } from "../container/status.ts";
import { verbatim } from "../failure.ts";
import { type CheckpointRequest, checkpointContainer } from "../linux/checkpoint/dump.ts";
import { SHARED_FLAGS, parsePageServer, sharedOptions } from "../linux/checkpoint/options.ts";
import { removeContainer } from "./delete.ts";

/** The command. */
export const checkpoint: Command = {
  name: "checkpoint",
  operands: "<container-id>",
  doc: "checkpoint a running container",
  minOperands: 1,
  maxOperands: 1,
  flags: [
    ...SHARED_FLAGS,
    { name: "parent-path", kind: "string", doc: "images of an earlier pre-dump, relative to --image-path" },
    { name: "leave-running", kind: "boolean", doc: "leave the process running after checkpointing" },
    { name: "tcp-skip-in-flight", kind: "boolean", doc: "skip TCP connections that are being made" },
    { name: "link-remap", kind: "boolean", doc: "allow one to link unlinked files back when possible" },
    { name: "status-fd", kind: "number", doc: "CRIU writes a 0 byte to this fd once the page server is ready" },
    { name: "page-server", kind: "string", doc: "ADDRESS:PORT of the page server" },
    { name: "pre-dump", kind: "boolean", doc: "dump the container's memory only, and leave it running" },
  ],
  run: ({ kernel, root, log }, flags, [id = ""]) => {
    const directory = StateDirectory.open(kernel, root, id);
    const record = directory.read();
    const request = checkpointRequest(kernel, flags);
    const status = statusOf(kernel, directory, record);
    if (status !== "running" && status !== "paused")
      throw verbatim("conflict", `Container cannot be checkpointed in ${status} state`);
    for (const warning of openToAll(request.options)) log.warn(warning);
    checkpointContainer(kernel, record, parseSpec(directory.readConfig()), request);
    if (request.preDump || request.options.leaveRunning === true) return 0;
    try {
      removeContainer(kernel, directory, record, log);
    } catch (error) {
      // A `run` in the foreground removes its container, too.
      if (!isTeuError(error, "not-found")) throw error;
    }
    return 0;
  },
};

/** With lazy pages CRIU leaves out the address of its request, and listens on all (`setup_opts_from_req`, CRIU 4.2). */
function openToAll({ lazyPages, pageServer }: CheckpointRequest["options"]): string[] {
  if (lazyPages !== true || pageServer === undefined || ["0.0.0.0", "::"].includes(pageServer.address)) return [];
  return [
    `with --lazy-pages CRIU serves the container's memory on port ${pageServer.port} of all addresses, not only ${pageServer.address}, to whoever asks first`,
  ];
}

function checkpointRequest(kernel: Kernel, flags: FlagValues): CheckpointRequest {
  const server = flags.string("page-server");
  return {
    imagePath: absolutePath(kernel, flags.string("image-path") || "checkpoint"),
    workPath: flags.string("work-path") === "" ? "" : absolutePath(kernel, flags.string("work-path")),
    parentPath: flags.string("parent-path"),
    preDump: flags.boolean("pre-dump"),
    program: "",
    options: {
      ...sharedOptions(flags),
      leaveRunning: flags.boolean("leave-running"),
      tcpSkipInFlight: flags.boolean("tcp-skip-in-flight"),
      linkRemap: flags.boolean("link-remap"),
      ...(server === "" ? {} : { pageServer: parsePageServer(server) }),
      ...(flags.given("status-fd") ? { statusFd: checkStatusFd(kernel, flags.number("status-fd")) } : {}),
    },
  };
}

/** Checked here, since CRIU would fail only when everything else is done. It opens it by its number among ours. */
function checkStatusFd(kernel: Kernel, fd: number): number {
  try {
    kernel.fs.fstat(fd);
    return fd;
  } catch (error) {
    if (!isSysError(error, "EBADF") && !isSysError(error, "EINVAL")) throw error;
    throw verbatim("invalid", `--status-fd ${fd} is not open`);
  }
}
