// What the tests of callers (containerd, dockerd, podman, buildah) share: a sandbox that a real caller's daemon runs in, an image made
// without a registry, and the runtime under test. RUNTIME selects it (default bin/teu-runtime): the same scripts run with
// /usr/sbin/runc or /usr/bin/crun as the control, which shows whether a failing expectation is the machine's or ours.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The runtime that the callers are told to use. */
export const RUNTIME: string =
  process.env["RUNTIME"] ?? fileURLToPath(new URL("../../bin/teu-runtime", import.meta.url));
/** "teu-runtime", "runc" or "crun": for the few expectations in which the controls differ. */
export const RUNTIME_NAME: string = basename(RUNTIME);

const TIMEOUT_MS = 30_000;
/** Controllers of v1 that no mount here shows, because others have mounted them elsewhere: containerd gives up where there are any. */
const UNSEEN = unseenControllers(readFileSync("/proc/self/mountinfo", "utf8"));
/** crun takes a hybrid layout only when every controller, hugetlb too, is on v1. */
const MORE_CONTROLLERS =
  RUNTIME_NAME === "crun" && existsSync("/sys/fs/cgroup/memory") ? [...new Set([...UNSEEN, "hugetlb"])] : UNSEEN;
/** /sys/fs/cgroup with those as well, in the sandbox only. */
const CGROUP_VIEW = [
  'mount -t tmpfs tmpfs "$2"',
  // Hierarchies only: an empty mount point that others made may vanish, and takes with it what is mounted on it.
  "for one in /sys/fs/cgroup/*/cgroup.procs; do",
  'one=${one%/*}; mkdir "$2/${one##*/}"; mount --bind "$one" "$2/${one##*/}"; done',
  ...MORE_CONTROLLERS.flatMap((name) => [
    `mkdir -p "$2/${name}"`,
    `[ -e "$2/${name}/tasks" ] || mount -t cgroup -o ${name} cgroup "$2/${name}"`,
  ]),
  'mount --rbind "$2" /sys/fs/cgroup',
];
const CGROUP_REMOVAL = 'mount -t cgroup -o "$3" cgroup "$1" && find "$1/$2" -depth -type d -exec rmdir {} ";"';
const INIT = "/usr/bin/tini-static";

/** Why a test that needs these programs cannot run here; false when it can. For node:test's `skip`. */
export function obstacle(...programs: readonly string[]): string | false {
  if (process.getuid?.() !== 0) return "needs root";
  const missing = [RUNTIME, INIT, "/bin/busybox", ...programs].find((path) => !existsSync(path));
  return missing === undefined ? false : `${missing} is not there`;
}

/** How a command ended; `all` is both streams. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly all: string;
}

/** How a command is run. */
export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout?: number;
}

/**
 * Mount, network and process namespaces of its own, with an empty /run and /dev/shm: whatever a caller starts in it ends with it, and
 * what it writes at its usual places is gone. Cgroups are the machine's, below `cgroup`.
 */
export class Sandbox implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "teu-dropin-"));
  /** Name of the parent of all cgroups made here. */
  readonly cgroup: string = basename(this.directory);
  readonly #outer: ChildProcess;
  readonly #init: number;

  constructor() {
    // Containers with a user namespace have to get through.
    chmodSync(this.directory, 0o711);
    const ready = join(this.directory, "ready");
    const log = openSync(join(this.directory, "sandbox.log"), "w");
    const script = [
      "set -e",
      "mount -t tmpfs tmpfs /run",
      "mount -t tmpfs tmpfs /dev/shm",
      ...(MORE_CONTROLLERS.length > 0 ? CGROUP_VIEW : []),
      "ip link set lo up",
      'touch "$1"',
      `exec ${INIT} -- sleep infinity`,
    ].join("\n");
    this.#outer = spawn(
      "unshare",
      [
        ...["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "--"],
        ...["sh", "-c", script, "sh", ready, this.path("cgroups")],
      ],
      { stdio: ["ignore", log, log] },
    );
    closeSync(log);
    try {
      until("the sandbox is ready", () => existsSync(ready));
    } catch (cause) {
      this.#outer.kill("SIGKILL");
      const said = readFileSync(join(this.directory, "sandbox.log"), "utf8");
      rmSync(this.directory, { recursive: true, force: true });
      throw new Error(`no sandbox: ${said}`, { cause });
    }
    this.#init = Number(
      readFileSync(`/proc/${this.#outer.pid}/task/${this.#outer.pid}/children`, "utf8").trim().split(" ")[0],
    );
  }

  /** A path below the sandbox's directory, which is made. */
  path(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** An account with 65,536 subordinate ids from 200000, in an /etc/passwd (and the like) that only the sandbox sees. */
  addAccount(name: string, uid: number, home: string): void {
    const lines = {
      passwd: `${readFileSync("/etc/passwd", "utf8")}${name}:x:${uid}:${uid}::${home}:/bin/sh\n`,
      group: `${readFileSync("/etc/group", "utf8")}${name}:x:${uid}:\n`,
      subuid: `${name}:200000:65536\n`,
      subgid: `${name}:200000:65536\n`,
    };
    for (const [file, content] of Object.entries(lines)) {
      const path = join(this.path("accounts"), file);
      writeFileSync(path, content);
      const { code, all } = this.run("mount", ["--bind", path, `/etc/${file}`]);
      if (code !== 0) throw new Error(`no account ${name}: ${all}`);
    }
  }

  /** Runs a command inside. */
  run(command: string, args: readonly string[], options: RunOptions = {}): Outcome {
    const result = spawnSync("nsenter", [...this.#enter(), command, ...args], {
      input: options.input ?? "",
      encoding: "utf8",
      timeout: options.timeout ?? TIMEOUT_MS,
      env: this.#environment(options.env),
      maxBuffer: 16 << 20,
    });
    const [out, err] = [result.stdout ?? "", result.stderr ?? ""];
    return { code: result.status ?? -1, out: out.trim(), err: err.trim(), all: `${out}${err}`.trim() };
  }

  /** Runs a command inside on a pseudoterminal, to which `input` is typed. */
  typed(command: string, args: readonly string[], input: string): Outcome {
    const quoted = [command, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    return this.run("script", ["--quiet", "--return", "--command", quoted, "/dev/null"], { input });
  }

  /** Starts a program inside that stays; its output is in the file `log`. It ends with the sandbox. */
  start(command: string, args: readonly string[], log: string): void {
    const fd = openSync(log, "a");
    spawn("nsenter", [...this.#enter(), command, ...args], { stdio: ["ignore", fd, fd], env: this.#environment() });
    closeSync(fd);
  }

  /** Ends everything inside, and removes what it left in cgroups and files. */
  [Symbol.dispose](): void {
    // The first process's end is the end of the namespace: the kernel kills the others, and wait4 of the parent returns after them.
    process.kill(this.#init, "SIGKILL");
    until("the sandbox has ended", () => !existsSync(`/proc/${this.#init}`) || isZombie(this.#init));
    for (const controller of readdirSync("/sys/fs/cgroup")) {
      const hierarchy = join("/sys/fs/cgroup", controller);
      // Where nothing is mounted, a caller may have taken an empty mount point for a hierarchy, and made plain files.
      if (existsSync(join(hierarchy, "cgroup.procs"))) removeCgroup(join(hierarchy, this.cgroup));
      else rmSync(join(hierarchy, this.cgroup), { recursive: true, force: true });
    }
    for (const controller of MORE_CONTROLLERS) {
      const script = ["--mount", "sh", "-c", CGROUP_REMOVAL, "sh", this.path("cgroups"), this.cgroup, controller];
      spawnSync("unshare", script);
    }
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  #enter(): string[] {
    return ["--target", String(this.#init), "--mount", "--net", "--pid", "--wdns=/", "--"];
  }

  #environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { PATH: process.env["PATH"] ?? "", HOME: this.directory, TMPDIR: this.directory, TERM: "xterm", ...more };
  }
}

/** Waits until it is so; throws after `seconds`. */
export function until(what: string, test: () => boolean, seconds = 20): void {
  for (let tries = 0; tries < seconds * 50; tries++) {
    if (test()) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  throw new Error(`timed out: ${what}`);
}

function isZombie(pid: number): boolean {
  try {
    return /^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  until(`cgroup ${path} can be removed`, () => spawnSync("rmdir", [path]).status === 0 || !existsSync(path), 5);
}

/**
 * Starts a containerd that writes nowhere but in the sandbox's directory and its /run; its socket. `more`: lines of its configuration,
 * those of CRI, which without any is switched off: it wants a network configuration.
 */
export function startContainerd(sandbox: Sandbox, more: readonly string[] = []): string {
  const { directory } = sandbox;
  const [config, address] = [join(directory, "containerd.toml"), join(directory, "containerd.sock")];
  const lines = [
    "version = 2",
    `root = "${directory}/root"`,
    `state = "${directory}/state"`,
    ...(more.length === 0 ? ['disabled_plugins = ["io.containerd.grpc.v1.cri"]'] : []),
    "[grpc]",
    `address = "${address}"`,
    ...more,
  ];
  writeFileSync(config, lines.join("\n"));
  sandbox.start("/usr/bin/containerd", ["--config", config], join(directory, "containerd.log"));
  until("containerd answers", () => sandbox.run("/usr/bin/ctr", ["--address", address, "version"]).code === 0);
  return address;
}

function unseenControllers(mountinfo: string): string[] {
  return readFileSync("/proc/self/cgroup", "utf8")
    .split("\n")
    .map((line) => line.split(":")[1] ?? "")
    .filter((controller) => controller !== "" && !controller.startsWith("name=") && !mountinfo.includes(controller));
}

/** Controllers that others have mounted elsewhere since the sandbox was made: containerd then gives up reading cgroups. */
export function strangeControllers(sandbox: Sandbox): string {
  return unseenControllers(sandbox.run("cat", ["/proc/self/mountinfo"]).out).join(", ");
}

/** Has this process the capability with this number? What it has not it can give to no container. */
export function hasCapability(number: number): boolean {
  const text = /CapEff:\s*([0-9a-f]+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${text}`) >> BigInt(number)) & 1n) === 1n;
}

/**
 * A docker archive with the image `name` (busybox with all its applets, a user "nobody"), which ctr, docker, podman and buildah read;
 * its path. `command` is what it runs.
 */
export function busyboxArchive(directory: string, name: string, command: readonly string[] = ["sh"]): string {
  const root = join(directory, "image-rootfs");
  for (const one of ["bin", "etc", "tmp", "root", "var", "home"]) mkdirSync(join(root, one), { recursive: true });
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  spawnSync("chroot", [root, "/bin/busybox", "--install", "-s", "/bin"]);
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
  const parts = join(directory, "image-parts");
  mkdirSync(parts);
  tar(join(parts, "layer.tar"), root);
  const config = JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Cmd: command, Env: ["PATH=/bin"], WorkingDir: "/" },
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(readFileSync(join(parts, "layer.tar")))}`] },
    history: [{ created: "2020-01-01T00:00:00Z", created_by: "busybox" }],
    created: "2020-01-01T00:00:00Z",
  });
  const file = `${sha256(Buffer.from(config))}.json`;
  writeFileSync(join(parts, file), config);
  const manifest = [{ Config: file, RepoTags: [name], Layers: ["layer.tar"] }];
  writeFileSync(join(parts, "manifest.json"), JSON.stringify(manifest));
  const archive = join(directory, "image.tar");
  tar(archive, parts);
  rmSync(root, { recursive: true });
  rmSync(parts, { recursive: true });
  return archive;
}

function tar(file: string, directory: string): void {
  const result = spawnSync("tar", ["-cf", file, "--owner=0", "--group=0", "-C", directory, "."], { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`tar of ${directory}: ${result.stderr}`);
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
