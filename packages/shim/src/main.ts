// The bundle's entry: the shim on the real kernel.
// portable: runs in QuickJS only.

import { realKernel } from "@teu/sys/real";
import { runShim } from "./program.ts";

realKernel.process.exit(runShim(realKernel, realKernel.process.args()));
