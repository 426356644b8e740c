// The chapters of the demonstration, in order. Each does one thing with `teu`, looks at what came of it and notes what that proves.

import { existsSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Story } from "./story.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");
const BUSYBOX = "/bin/busybox";
const MEMORY = 64 << 20;
const EXIT_CODE = 42;

/** Builds the base from a static busybox, and examples/hello on it. */
export async function buildImages(story: Story): Promise<void> {
  const { teu } = story;
  await timed(story, "Build: a base image from a static busybox, and examples/hello/Dockerfile on it", async () => {
    if (!existsSync(BUSYBOX)) throw new Error(`${BUSYBOX} is missing: apt-get install busybox-static`);
    const dockerfile = join(EXAMPLES, "hello-base/Dockerfile");
    await teu.run(["build", "-t", "teu/busybox", "-f", dockerfile, dirname(BUSYBOX)]);
    await teu.run(["build", "-t", "hello", "--build-arg", "GREETING=Good day", join(EXAMPLES, "hello")]);
    story.proofs.push(
      "two images were built without a daemon: a base from one static program, and one on it with RUN, COPY, ENV, USER",
    );
    return "two images";
  });
}

/** Starts the registry on a free loopback port and waits until it says where it listens. */
export async function serveRegistry(story: Story): Promise<void> {
  await timed(story, "Serve: the embedded registry, on a free loopback port", async () => {
    const child = story.teu.background([
      "registry",
      "serve",
      "--addr",
      "127.0.0.1:0",
      "--root",
      join(story.directory, "registry"),
    ]);
    story.registry = child;
    const address = await new Promise<string>((resolve, reject) => {
      let said = "";
      const listen = (part: Buffer): void => {
        said += part.toString();
        const found = /127\.0\.0\.1:\d+/.exec(said)?.[0];
        if (found !== undefined) resolve(found);
      };
      child.stdout?.on("data", listen);
      child.stderr?.on("data", listen);
      child.on("exit", (code) => {
        reject(new Error(`the registry ended with ${code}: ${said.trim()}`));
      });
      story.signal.addEventListener(
        "abort",
        () => {
          reject(story.signal.reason as Error);
        },
        { once: true },
      );
    });
    story.reference = `${address}/hello:1`;
    return `it listens on ${address}`;
  });
}

/** Pushes the image there and notes its digest. */
export async function push(story: Story): Promise<void> {
  await timed(story, "Push", async () => {
    await story.teu.run(["tag", "hello", story.reference]);
    const { stdout, stderr } = await story.teu.run(["push", story.reference]);
    story.digest = digestIn(`${stdout}\n${stderr}`);
    return `the registry holds ${story.digest}`;
  });
}

/** Removes every local image, so that what follows can only come from the registry. */
export async function removeLocalCopy(story: Story): Promise<void> {
  await timed(story, "Remove the local copy", async () => {
    await story.teu.run(["rmi", story.reference, "hello", "teu/busybox"]);
    await story.teu.run(["system", "prune", "-f", "-a"]);
    const { stdout } = await story.teu.run(["images", "-q"]);
    must(stdout.trim() === "", "an image is still there");
    return "no image is left here";
  });
}

/** Pulls it back; the digest must be the one that was pushed. */
export async function pullBack(story: Story): Promise<void> {
  await timed(story, "Pull: download, verify every digest, unpack", async () => {
    const { stdout, stderr } = await story.teu.run(["pull", story.reference]);
    const digest = digestIn(`${stdout}\n${stderr}`);
    must(digest === story.digest, `pulled ${digest}, pushed ${story.digest}`);
    story.proofs.push(`what was pulled is what was pushed, byte for byte: ${digest}`);
    return "same digest; layers unpacked";
  });
}

/** Runs it under teu-shim and teu-runtime with a memory limit; looks at its namespaces, limit and exit code. */
export async function runContainer(story: Story): Promise<void> {
  const { teu, proofs } = story;
  await timed(
    story,
    "Run: in its own pid, mount, network, ipc, uts and cgroup namespaces, with a memory limit",
    async () => {
      const script = `./hello.sh; for n in pid mnt net ipc uts cgroup; do echo "$n $(readlink /proc/self/ns/$n)"; done; exit ${EXIT_CODE}`;
      const limits = ["--memory", `${MEMORY >> 20}m`, "--cgroupns", "private"];
      const { stdout } = await teu.run(
        ["run", "--name", "hello", "--network", "none", ...limits, story.reference, "sh", "-c", script],
        [EXIT_CODE],
      );
      for (const name of ["pid", "mnt", "net", "ipc", "uts", "cgroup"]) {
        const inside = new RegExp(`^${name} (\\S+)$`, "m").exec(stdout)?.[1];
        must(
          inside !== undefined && inside !== readlinkSync(`/proc/self/ns/${name}`),
          `the ${name} namespace is the host's`,
        );
      }
      proofs.push("the container had namespaces of its own: pid, mount, network, ipc, uts, cgroup");
      must(stdout.includes(String(MEMORY)), "the container did not see its memory limit");
      proofs.push(`its memory limit was ${MEMORY} bytes, as the kernel told it`);
      proofs.push(`its exit code, ${EXIT_CODE}, came back through runtime, shim and engine`);
      return `exit code ${EXIT_CODE}, as the program wanted`;
    },
  );
  await timed(story, "Look at what was recorded, and remove the container", async () => {
    await teu.run(["ps", "-a"]);
    const { stdout } = await teu.run(["logs", "--tail", "3", "hello"]);
    must(stdout.includes("cgroup"), "the log does not hold the output");
    await teu.run(["rm", "hello"]);
    return "logs outlive the process, nothing outlives the container";
  });
}

async function timed(story: Story, title: string, chapter: () => Promise<string>): Promise<void> {
  story.signal.throwIfAborted();
  story.screen.step(title);
  const start = performance.now();
  story.screen.done(await chapter(), performance.now() - start);
}

function digestIn(text: string): string {
  const digest = /sha256:[0-9a-f]{64}/.exec(text)?.[0];
  must(digest !== undefined, "no digest was shown");
  return digest;
}

function must(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}
