// Loops that try to get hold of the host's binary or descriptors while processes enter the container. Each case names the attack.

import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { Spec } from "@teu/specs/runtime";
import { Bench, type RuntimeCase, expectEqual, expectFailure, expectOk, withLinux, withProcess } from "../case.ts";
import { armBundle, race, textOf, withCapabilities, writable } from "./attack.ts";

const MAPS = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
const ATTACKER = ["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_KILL"];
const digest = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** The case with a copy of the runtime of its own: it may be overwritten for good. */
function onCopy(bench: Bench, act: (inner: Bench) => void): void {
  const copy = join(bench.directory, basename(realpathSync(bench.runtime)));
  copyFileSync(realpathSync(bench.runtime), copy);
  const before = digest(copy);
  let after = "";
  const inner = new Bench(copy);
  try {
    act(inner);
  } finally {
    after = digest(copy);
    // One that was overwritten could not clean up after itself.
    rmSync(copy);
    copyFileSync(realpathSync(bench.runtime), copy);
    inner.dispose();
  }
  expectEqual(after, before, "digest of the runtime");
}

function inUserNamespace(spec: Spec): Spec {
  return withLinux(spec, {
    namespaces: [...(spec.linux?.namespaces ?? []), { type: "user" }],
    uidMappings: MAPS,
    gidMappings: MAPS,
  });
}

/** Runs as root inside; the directories above let it through. */
function openUp(bench: Bench): void {
  spawnSync("chown", ["-R", "100000:100000", bench.directory]);
  spawnSync("chmod", ["-R", "a+rwX", bench.directory]);
}

export const cases: readonly RuntimeCase[] = [
  {
    name: "binary: loops that write into /proc/N/exe during many execs change nothing",
    cve: "CVE-2019-5736",
    run: (bench) =>
      onCopy(bench, (inner) => {
        const bundle = armBundle(
          inner.bundle((spec) =>
            withCapabilities(withProcess(writable(spec), { args: ["/bin/attack", "exe", "/tmp/report"] }), ATTACKER),
          ),
        );
        symlinkSync("/proc/self/exe", join(bundle.rootfs, "bin/self"));
        writeFileSync(join(bundle.rootfs, "bin/script"), "#!/proc/self/exe\n", { mode: 0o755 });
        const id = inner.started(bundle);
        const programs = ["/bin/true", "/bin/self", "/bin/script"];
        race(60, 5, (round) => inner.call("exec", id, programs[round % programs.length] ?? ""));
      }),
  },
  ...["/bin/self", "/bin/script"].map((entry): RuntimeCase => ({
    name: `binary: a container whose entry point is ${entry === "/bin/self" ? "a link to" : "a script run by"} /proc/self/exe`,
    cve: "CVE-2019-5736",
    run: (bench) =>
      onCopy(bench, (inner) => {
        const bundle = inner.bundle((spec) => withProcess(writable(spec), { args: [entry] }));
        symlinkSync("/proc/self/exe", join(bundle.rootfs, "bin/self"));
        writeFileSync(join(bundle.rootfs, "bin/script"), "#!/proc/self/exe\n", { mode: 0o755 });
        for (let round = 0; round < 3; round++) inner.run(bundle);
      }),
  })),
  {
    name: "descriptors: none of the host is taken from joining processes in 200 execs",
    cve: "CVE-2016-9962",
    run: (bench) => {
      const bundle = armBundle(
        bench.bundle((spec) => withProcess(writable(spec), { args: ["/bin/attack", "fds", "/tmp/report"] })),
      );
      const id = bench.started(bundle);
      race(200, 8, () => void expectOk(bench.call("exec", id, "/bin/true")));
      expectEqual(textOf(join(bundle.rootfs, "tmp/report")), "", "taken");
    },
  },
  {
    name: "descriptors: none of the host is taken by a root with all capabilities in its user namespace",
    cve: "CVE-2016-9962",
    run: (bench) => {
      const bundle = armBundle(
        bench.bundle((spec) =>
          inUserNamespace(
            withCapabilities(withProcess(writable(spec), { args: ["/bin/attack", "fds", "/tmp/report"] }), ATTACKER),
          ),
        ),
      );
      openUp(bench);
      const id = bench.started(bundle);
      race(100, 5, () => void expectOk(bench.call("exec", id, "/bin/true")));
      expectEqual(textOf(join(bundle.rootfs, "tmp/report")), "", "taken");
    },
  },
  {
    name: "descriptors: one that the caller left open reaches neither container nor exec nor hooks",
    cve: "CVE-2024-21626",
    run: (bench) => {
      const seen = join(bench.directory, "hook");
      // Of the hook's own shell: 0, 1, 2 and the directory that ls reads.
      const hook = { path: "/bin/busybox", args: ["sh", "-c", `ls /proc/self/fd | wc -l >>${seen}`] };
      const bundle = bench.script("ls /proc/self/fd | wc -l; sleep 30", (spec) => ({
        ...spec,
        hooks: { prestart: [hook], createRuntime: [hook], createContainer: [hook], poststart: [hook] },
      }));
      const leaked = openSync(bench.directory, "r");
      try {
        const fds = [leaked, leaked, leaked];
        const id = bench.id();
        expectOk(bench.callWith({ fds }, "create", "--bundle", bundle.path, id));
        expectOk(bench.callWith({ fds }, "start", id));
        expectEqual(
          expectOk(bench.callWith({ fds }, "exec", id, "/bin/sh", "-c", "ls /proc/self/fd | wc -l")).out.trim(),
          "4",
          "descriptors of exec",
        );
        expectEqual(
          expectOk(bench.call("exec", id, "/bin/sh", "-c", "ls /proc/1/fd | wc -l")).out.trim(),
          "3",
          "descriptors of the container",
        );
        expectEqual(textOf(seen).replaceAll(/\s+/g, " ").trim(), "4 4 4 4", "descriptors of the hooks");
      } finally {
        closeSync(leaked);
      }
    },
  },
  ...["run", "exec"].map((verb): RuntimeCase => ({
    name: `${verb}: the working directory is not a directory of the host that was passed in`,
    cve: "CVE-2024-21626",
    run: (bench) => {
      const host = join(bench.directory, "host");
      mkdirSync(host);
      const fd = openSync(host, "r");
      try {
        for (const cwd of ["/proc/self/fd/3", "/proc/thread-self/fd/3", "/link"]) {
          const change = (spec: Spec): Spec => (verb === "run" ? withProcess(spec, { cwd }) : spec);
          const bundle = bench.script(verb === "run" ? "pwd" : "sleep 30", change);
          symlinkSync("/proc/self/fd/3", join(bundle.rootfs, "link"));
          const options = { fds: [fd] };
          const id = verb === "run" ? bench.id() : bench.started(bundle);
          const words =
            verb === "run"
              ? ["run", "--bundle", bundle.path, "--preserve-fds", "1", id]
              : ["exec", "--preserve-fds", "1", "--cwd", cwd, id, "/bin/true"];
          expectFailure(bench.callWith(options, ...words));
          bench.call("delete", "--force", id);
        }
      } finally {
        closeSync(fd);
      }
    },
  })),
  {
    name: "environment: nothing of the caller's is in the container or in exec",
    run: (bench) => {
      const env = { SECRET_OF_CALLER: "swordfish", HOME: "/caller", LD_PRELOAD: "" };
      const id = bench.id();
      expectOk(bench.callWith({ env }, "create", "--bundle", bench.script("sleep 30").path, id));
      expectOk(bench.callWith({ env }, "start", id));
      const { out } = expectOk(bench.callWith({ env }, "exec", id, "/bin/sh", "-c", "env; cat /proc/1/environ"));
      if (/swordfish|\/caller/.test(out)) throw new Error(`environment of the caller: ${out}`);
    },
  },
];
