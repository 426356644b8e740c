import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";

function running(): FakeHost {
  const host = fakeHost();
  assert.equal(host.run(["run", "-d", "-b", "/bundle", "c1"]).code, 0);
  return host;
}

for (const command of ["checkpoint", "restore"]) {
  test(`${command}: --help exits 0 and names every flag (podman asks so whether it is there)`, () => {
    const { code, out } = fakeHost().run([command, "--help"]);
    assert.equal(code, 0);
    const flags =
      command === "checkpoint"
        ? "parent-path leave-running tcp-skip-in-flight link-remap status-fd page-server pre-dump"
        : "console-socket bundle detach pid-file no-subreaper no-pivot lsm-profile lsm-mount-context";
    const shared =
      "image-path work-path tcp-established ext-unix-sk shell-job lazy-pages file-locks manage-cgroups-mode empty-ns auto-dedup";
    for (const flag of `${flags} ${shared}`.split(" ")) assert.match(out, new RegExp(`--${flag}\\b`), flag);
  });
}

test("restore: --lsm-mount-context without a value says what podman looks for", () => {
  assert.match(fakeHost().run(["restore", "--lsm-mount-context"]).err, /flag needs an argument/);
});

const REFUSED: readonly (readonly [string[], RegExp])[] = [
  [["--manage-cgroups-mode", "props"], /Invalid manage-cgroups-mode value/],
  [["--empty-ns", "ipc"], /namespace .*ipc.* is not supported/],
  [["--page-server", "9000"], /Use --page-server ADDRESS:PORT/],
  [["--page-server", "localhost:x"], /Invalid port number/],
  [["--page-server", "localhost:65536"], /Invalid port number/],
  [["--status-fd", "77"], /--status-fd 77 is not open/],
  [["--parent-path", "/images/before"], /--parent-path must be relative/],
  [["--parent-path", "before"], /--parent-path .*before.* is no directory/],
];
for (const [words, text] of REFUSED) {
  test(`checkpoint: refuses ${words.join(" ")}, and the container goes on`, () => {
    const host = running();
    const { code, err } = host.run(["checkpoint", "--image-path", "/images", ...words, "c1"]);
    assert.equal(code, 1);
    assert.match(err, text);
    assert.equal(host.status("c1"), "running");
  });
}

for (const path of ["/rootfs/evil.conf", "/etc/criu/../evil", "/etc/criu/..", "evil"]) {
  test(`checkpoint, restore: an annotation cannot make CRIU read ${path} (it could name scripts to run on the host)`, () => {
    const host = fakeHost();
    host.configure((spec) => ({ ...spec, annotations: { "org.criu.config": path } }));
    host.run(["run", "-d", "-b", "/bundle", "c1"]);
    assert.match(host.run(["checkpoint", "--image-path", "/images", "c1"]).err, /may only name a file of \/etc\/criu/);
    assert.match(
      host.run(["restore", "-d", "--image-path", "/images", "-b", "/bundle", "c2"]).err,
      /may only name a file of \/etc\/criu/,
    );
    assert.equal(host.exists("/run/teu/c2"), false);
  });
}

test("checkpoint: a container that does not run is refused in runc's words", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  assert.match(host.run(["checkpoint", "c1"]).err, /Container cannot be checkpointed in created state/);
  host.run(["kill", "c1", "KILL"]);
  assert.match(host.run(["checkpoint", "c1"]).err, /Container cannot be checkpointed in stopped state/);
  assert.match(host.run(["checkpoint", "c2"]).err, /container does not exist/);
});

test("restore: the systemd cgroups manager is refused, and nothing is left", () => {
  const host = fakeHost();
  const { code, err } = host.run(["--systemd-cgroup", "restore", "-d", "-b", "/bundle", "c1"]);
  assert.equal(code, 1);
  assert.match(err, /restore cannot use the systemd cgroups manager/);
  assert.equal(host.exists("/run/teu/c1"), false);
});

test("restore: without CRIU says so, and leaves nothing", () => {
  const host = fakeHost();
  host.makeDirectory("/images");
  const { code, err } = host.run(["restore", "-d", "--image-path", "/images", "-b", "/bundle", "c1"]);
  assert.equal(code, 1);
  assert.match(err, /cannot use CRIU .*neither in PATH nor in the usual directories.*apt-get install criu/);
  assert.doesNotMatch(err, /no such file/i);
  assert.equal(host.exists("/run/teu/c1"), false);
  assert.deepEqual(host.leaks().cgroups, []);
});

for (const [words, text] of [
  [["--image-path", "/nowhere"], /open images .*\/nowhere.*: there is no such directory/],
  [["--lsm-profile", "apparmor:x"], /AppArmor is not enabled/],
  [["--lsm-profile", "x"], /want apparmor:NAME or selinux:LABEL/],
  [["--lsm-mount-context", "system_u:object_r:x"], /SELinux is not enabled/],
  [["--console-socket", "/run/console"], /cannot use console socket/],
] as const) {
  test(`restore: refuses ${words.join(" ")}, and leaves nothing`, () => {
    const host = fakeHost();
    const { code, err } = host.run(["restore", "-d", ...words, "-b", "/bundle", "c1"]);
    assert.equal(code, 1);
    assert.match(err, text);
    assert.equal(host.exists("/run/teu/c1"), false);
    assert.deepEqual(host.leaks().cgroups, []);
  });
}
