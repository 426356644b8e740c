// The table of commands.
// portable: no host types here.

import { checkpoint } from "../commands/checkpoint.ts";
import { create } from "../commands/create.ts";
import { deleteCommand } from "../commands/delete.ts";
import { events } from "../commands/events.ts";
import { exec } from "../commands/exec.ts";
import { features } from "../commands/features.ts";
import { kill } from "../commands/kill.ts";
import { list } from "../commands/list.ts";
import { mounts } from "../commands/mounts.ts";
import { pause } from "../commands/pause.ts";
import { ps } from "../commands/ps.ts";
import { restore } from "../commands/restore.ts";
import { resume } from "../commands/resume.ts";
import { run } from "../commands/run.ts";
import { spec } from "../commands/spec.ts";
import { start } from "../commands/start.ts";
import { state } from "../commands/state.ts";
import { update } from "../commands/update.ts";
import type { Command } from "./command.ts";

/** Every command, in the order of the help text. */
export const COMMANDS: readonly Command[] = [
  checkpoint,
  create,
  deleteCommand,
  events,
  exec,
  features,
  kill,
  list,
  mounts,
  pause,
  ps,
  restore,
  resume,
  run,
  spec,
  start,
  state,
  update,
];
