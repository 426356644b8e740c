// A part of the program teu-runtime: create and run.
// portable: no host types here.

import { realKernel } from "@teu/sys/real";
import { runPart } from "./cli/part.ts";
import { create } from "./commands/create.ts";
import { run } from "./commands/run.ts";

runPart(realKernel, [create, run]);
