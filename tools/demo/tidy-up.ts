// Ends whatever the demonstration started, in whatever state it was stopped.

import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Story } from "./story.ts";

/** Stops the registry, removes containers; quiet, and says what it could not do. */
export async function tidyUp(story: Story): Promise<void> {
  if (story.registry !== null) await ended(story.registry);
  story.registry = null;
  if (!existsSync(join(story.directory, "lib"))) return;
  const { stdout } = await story.teu.quietly(["ps", "-aq"]);
  const ids = stdout.split("\n").filter((line) => line !== "");
  if (ids.length === 0) return;
  const removal = await story.teu.quietly(["rm", "-f", ...ids]);
  if (removal.code !== 0) story.screen.failed(removal.stderr.trim());
}

/** SIGTERM and the end; SIGKILL when it takes longer than five seconds. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const hurry = setTimeout(() => child.kill("SIGKILL"), 5000);
  await gone;
  clearTimeout(hurry);
}
