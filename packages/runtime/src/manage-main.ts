// A part of the program teu-runtime: the short commands on one container: start, state, kill, delete.
// portable: no host types here.

import { realKernel } from "@teu/sys/real";
import { runPart } from "./cli/part.ts";
import { deleteCommand } from "./commands/delete.ts";
import { kill } from "./commands/kill.ts";
import { start } from "./commands/start.ts";
import { state } from "./commands/state.ts";

runPart(realKernel, [start, state, kill, deleteCommand]);
