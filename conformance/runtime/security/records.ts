// The runtime's own records: who may read them, what a link in their place does, and a pid that belongs to somebody else by now.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, realpathSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, type RuntimeCase, Skip, expectEqual, expectFailure, expectOk } from "../case.ts";

/** Below the case's --root: path and mode of everything. */
function records(
  bench: Bench,
): { readonly path: string; readonly mode: number; readonly kind: "file" | "directory" | "other" }[] {
  const root = join(bench.directory, "root");
  return readdirSync(root, { recursive: true, encoding: "utf8" }).map((name) => {
    const path = join(root, name);
    const stat = statSync(path);
    const kind = stat.isFile() ? "file" : stat.isDirectory() ? "directory" : "other";
    return { path, mode: stat.mode & 0o777, kind };
  });
}

// In a pid namespace of its own the next pid can be chosen. $1 runtime, $2 root, $3 bundle.
const REUSE = `
rt() { "$runtime" --root "$root" "$@"; }
runtime=$1 root=$2 bundle=$3
rt create --bundle "$bundle" reused || exit 10
rt start reused || exit 11
pid=$(rt state reused | sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p')
kill -9 "$pid"
while [ -e "/proc/$pid" ]; do sleep 0.05; done
tries=0
while :; do
  echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid || exit 12
  sleep 60 &
  victim=$!
  [ "$victim" = "$pid" ] && break
  kill "$victim"
  tries=$((tries + 1))
  [ "$tries" -lt 20 ] || exit 13
done
echo "status $(rt state reused | sed -n 's/.*"status": *"\\([a-z]*\\)".*/\\1/p')"
rt exec reused /bin/true && echo "exec went into a stranger"
rt kill reused KILL
rt kill --all reused KILL
rt pause reused
rt resume reused
rt delete --force reused
case "$(cat "/proc/$victim/stat" 2>&1)" in
  *"(sleep) S "*) echo "stranger lives" ;;
  *) echo "stranger was hit" ;;
esac
kill "$victim"
exit 0
`;

export const cases: readonly RuntimeCase[] = [
  {
    name: "records: a pid that is somebody else's by now is neither signalled nor entered",
    run: (bench) => {
      const bundle = bench.script("sleep 60");
      const result = spawnSync(
        "unshare",
        [
          "--pid",
          "--fork",
          "--kill-child",
          "--mount-proc",
          "sh",
          "-c",
          REUSE,
          "sh",
          realpathSync(bench.runtime),
          join(bench.directory, "root"),
          bundle.path,
        ],
        { encoding: "utf8", timeout: 30_000, stdio: ["ignore", "pipe", "ignore"] },
      );
      if (result.status === 12 || result.status === 13) throw new Skip("the next pid cannot be chosen here");
      expectEqual(result.status, 0, "status of the script");
      expectEqual(result.stdout.trim(), "status stopped\nstranger lives");
    },
  },
  {
    name: "records: nobody but their owner can read or change them",
    run: (bench) => {
      bench.started(bench.script("sleep 30"));
      const open = records(bench).filter(
        ({ mode, kind }) => (mode & (kind === "file" ? 0o077 : kind === "directory" ? 0o066 : 0)) !== 0,
      );
      expectEqual(
        open.map(({ path, mode }) => `${path} ${mode.toString(8)}`),
        [],
        "open to others",
      );
    },
  },
  {
    name: "records: a link in place of a container's directory is not followed by create or delete",
    run: (bench) => {
      const victim = join(bench.directory, "victim");
      mkdirSync(join(victim, "below"), { recursive: true });
      writeFileSync(join(victim, "below/file"), "mine");
      writeFileSync(join(victim, "state.json"), "{}");
      const id = bench.id();
      mkdirSync(join(bench.directory, "root"));
      symlinkSync(victim, join(bench.directory, "root", id));
      const bundle = bench.script("sleep 30");
      expectFailure(bench.call("create", "--bundle", bundle.path, id));
      bench.call("delete", "--force", id);
      expectEqual(readdirSync(victim).sort(), ["below", "state.json"], "victim");
      expectEqual(readFileSync(join(victim, "below/file"), "utf8"), "mine");
    },
  },
  {
    name: "records: the pid file replaces a link, it does not follow it",
    run: (bench) => {
      const victim = join(bench.directory, "victim");
      const pidFile = join(bench.directory, "pid");
      writeFileSync(victim, "mine");
      symlinkSync(victim, pidFile);
      const id = bench.id();
      bench.call("create", "--bundle", bench.script("sleep 30").path, "--pid-file", pidFile, id);
      expectEqual(readFileSync(victim, "utf8"), "mine");
    },
  },
  ...["../escape", "a/b", "..", ".", "", "a b", "a\n", "/x", "ü", "x".repeat(2000)].map((id): RuntimeCase => ({
    name: `records: the id ${JSON.stringify(id.length > 20 ? `${id.slice(0, 20)}...` : id)} is refused`,
    run: (bench) => {
      const outcome = bench.call("create", "--bundle", bench.script("sleep 30").path, id);
      if (outcome.code === 0) bench.call("delete", "--force", id);
      expectFailure(outcome);
      if (outcome.code === -1) throw new Error("hangs");
      expectEqual(readdirSync(bench.directory).includes("escape"), false);
    },
  })),
  {
    name: "records: a failed create leaves none",
    run: (bench) => {
      const bundle = bench.bundle((spec) => ({
        ...spec,
        mounts: [...(spec.mounts ?? []), { destination: "/proc/self", type: "tmpfs", source: "tmpfs" }],
        root: { path: "none" },
      }));
      expectFailure(bench.call("create", "--bundle", bundle.path, bench.id()));
      expectEqual(expectOk(bench.call("list", "--quiet")).out, "");
    },
  },
];
