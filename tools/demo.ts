// The guided demonstration behind `npm start`: download an OCI image, unpack it into a bundle, let an OCI runtime run it; and before
// that, build the image and serve it. Every step is done by the programs that users have; what is claimed at the end was looked at.
// Everything lives in one temporary directory and is gone afterwards, after a failure and after Ctrl-C too.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImages, pullBack, push, removeLocalCopy, runContainer, serveRegistry } from "./demo/chapters.ts";
import { containerCgroups, leftBehind } from "./demo/left-behind.ts";
import { Screen, seconds } from "./demo/screen.ts";
import type { Story } from "./demo/story.ts";
import { Interrupted, Teu } from "./demo/teu.ts";
import { tidyUp } from "./demo/tidy-up.ts";

const NEXT = `
Try next (with bin/ in PATH: export PATH="$PATH:$PWD/bin"):
  teu doctor                                   what this machine can and cannot do
  teu build -t teu/busybox -f examples/hello-base/Dockerfile /bin
  teu run --rm -it teu/busybox                 a shell in a container; docs/guide goes on from here
  teu registry serve --root /tmp/registry      a registry on 127.0.0.1:5000
  teu-runtime --explain run --bundle DIR x     every kernel step of a start, without taking it
Tests: npm test. Comparison with crun, runc and podman: npm run bench.`;

async function main(): Promise<number> {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      interrupt.abort(new Error(`stopped by ${signal}`));
    });
  const screen = new Screen();
  const before = containerCgroups();
  const directory = mkdtempSync(join(tmpdir(), "teu-demo-"));
  const story = begin(directory, screen, interrupt.signal);
  const start = performance.now();
  const code = await tell(story, interrupt.signal);
  await tidyUp(story);
  rmSync(directory, { recursive: true, force: true });
  const left = await leftBehind(directory, before);
  if (left.length > 0) {
    screen.failed(`something was left behind:\n     ${left.join("\n     ")}`);
    return 1;
  }
  if (code !== 0) {
    screen.line("\nEverything that had been started was undone: no mount, cgroup, process, interface or file is left.");
    return code;
  }
  story.proofs.push("nothing is left: no mount, cgroup, process, network namespace, interface, nft table or file");
  screen.line(`\nProved in ${seconds(performance.now() - start)}:`);
  for (const proof of story.proofs) screen.line(`  - ${proof}`);
  screen.line(NEXT);
  return 0;
}

function begin(directory: string, screen: Screen, signal: AbortSignal): Story {
  mkdirSync(join(directory, "registry"));
  const teu = new Teu({ root: join(directory, "lib"), runroot: join(directory, "run"), screen, signal });
  return { directory, screen, teu, signal, proofs: [], registry: null, reference: "", digest: "" };
}

// 0 when the story was told to its end, 130 when it was interrupted, 1 when a step failed.
async function tell(story: Story, signal: AbortSignal): Promise<number> {
  try {
    story.screen.line("teu: from a Dockerfile to a running container. Every step is real.");
    for (const chapter of [buildImages, serveRegistry, push, removeLocalCopy, pullBack, runContainer])
      await chapter(story);
    return 0;
  } catch (error) {
    const interrupted = signal.aborted || error instanceof Interrupted;
    story.screen.failed(
      signal.aborted ? (signal.reason as Error).message : error instanceof Error ? error.message : String(error),
    );
    return interrupted ? 130 : 1;
  }
}

process.exitCode = await main();
