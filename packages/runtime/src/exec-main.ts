// A part of the program teu-runtime: exec.
// portable: no host types here.

import { realKernel } from "@teu/sys/real";
import { runPart } from "./cli/part.ts";
import { exec } from "./commands/exec.ts";

runPart(realKernel, [exec]);
