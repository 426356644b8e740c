import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeHost, fakeHost } from "../testing/fake-host.ts";
import { planExtensions } from "./extensions.ts";

function annotated(annotations: Record<string, string>, options: Parameters<typeof fakeHost>[0] = {}): FakeHost {
  const host = fakeHost(options);
  host.configure((spec) => ({ ...spec, annotations }));
  return host;
}

const REFUSED: readonly string[] = [
  "run.oci.seccomp.plugins",
  "run.oci.systemd.force_cgroup_v1",
  "run.oci.delegate-cgroup",
  "run.oci.handler",
];
for (const name of REFUSED) {
  test(`planExtensions: unsupported for ${name}, unless it is empty`, () => {
    assert.throws(() => planExtensions({ [name]: "x" }), { code: "unsupported" });
    planExtensions({ [name]: "" });
  });
}

test("planExtensions: annotations of others, and names that every object has, are no concern", () => {
  planExtensions({ "io.kubernetes.pod": "x", "run.oci.toString": "x", "run.oci.": "x", constructor: "x" });
});

test("run.oci.keep_original_groups: setgroups is not called", () => {
  for (const [value, calls] of [
    ["1", 0],
    ["0", 1],
  ] as const) {
    const host = annotated({ "run.oci.keep_original_groups": value });
    let seen = 0;
    const { kernel } = host;
    const setgroups = (groups: readonly number[]): void => {
      seen++;
      kernel.process.setgroups(groups);
    };
    host.run(["create", "-b", "/bundle", "c1"], { ...kernel, process: { ...kernel.process, setgroups } });
    assert.equal(seen, calls);
  }
});

test("run.oci.pidfd_receiver: one fd, after the container was made", () => {
  const host = annotated({ "run.oci.pidfd_receiver": "/run/pidfd.sock" }, { listeners: ["/run/pidfd.sock"] });
  assert.equal(host.run(["create", "-b", "/bundle", "c1"]).code, 0);
  const [message] = host.sent.get("/run/pidfd.sock") ?? [];
  assert.deepEqual([message?.files.length, message?.files[0]?.kind], [1, "pidfd"]);
});

test("run.oci.hooks.stdout and stderr: hooks get these files, also the ones inside", () => {
  const host = annotated({ "run.oci.hooks.stdout": "/run/out", "run.oci.hooks.stderr": "/run/err" });
  host.configure((spec) => ({
    ...spec,
    annotations: { "run.oci.hooks.stdout": "/run/out", "run.oci.hooks.stderr": "/run/err" },
    hooks: { createRuntime: [{ path: "/usr/bin/hook" }], startContainer: [{ path: "/bin/true" }] },
  }));
  const written: string[] = [];
  const { kernel } = host;
  const spawn: typeof kernel.process.spawn = (options) => {
    kernel.fs.write(options.fds[1] ?? -1, `out ${options.path}\n`);
    kernel.fs.write(options.fds[2] ?? -1, `err ${options.path}\n`);
    written.push(options.path);
    return kernel.process.spawn(options);
  };
  const spied = { ...kernel, process: { ...kernel.process, spawn } };
  assert.equal(host.run(["run", "-d", "-b", "/bundle", "c1"], spied).code, 0);
  assert.deepEqual(written, ["/usr/bin/hook", "/bin/true"]);
  assert.equal(kernel.fs.readTextAt(-100, "/run/out", 1000), "out /usr/bin/hook\nout /bin/true\n");
  assert.equal(kernel.fs.readTextAt(-100, "/run/err", 1000), "err /usr/bin/hook\nerr /bin/true\n");
});

const SECCOMP = { linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] } } } as const;

test("run.oci.seccomp_bpf_data: the filter given is loaded, also without linux.seccomp", () => {
  const host = annotated({ "run.oci.seccomp_bpf_data": "BgAAAAAA/38=" });
  const loaded: Uint8Array[] = [];
  const { kernel } = host;
  const load = (program: Uint8Array, flags: number): number => {
    loaded.push(program);
    return kernel.seccomp.load(program, flags);
  };
  assert.equal(
    host.run(["run", "-d", "-b", "/bundle", "c1"], { ...kernel, seccomp: { ...kernel.seccomp, load } }).code,
    0,
  );
  assert.deepEqual(loaded, [new Uint8Array([6, 0, 0, 0, 0, 0, 0xff, 0x7f])]);
});

test("run.oci.seccomp_bpf_data: invalid for what is no filter in base64", () => {
  for (const text of ["x", "AAAA", "B!AA"])
    assert.match(
      annotated({ "run.oci.seccomp_bpf_data": text }).run(["create", "-b", "/bundle", "c1"]).err,
      /no filter/,
    );
});

test("run.oci.seccomp_fail_unknown_syscall: a name that libseccomp does not know is an error", () => {
  const host = fakeHost();
  const { kernel } = host;
  const compile: typeof kernel.seccomp.compile = (filter) => ({
    ...kernel.seccomp.compile(filter),
    unknown: ["new_call"],
  });
  const strict = { ...kernel, seccomp: { ...kernel.seccomp, compile } };
  host.configure((spec) => ({ ...spec, linux: { ...spec.linux, ...SECCOMP.linux } }));
  assert.equal(host.run(["create", "-b", "/bundle", "c1"], strict).code, 0);
  host.configure((spec) => ({
    ...spec,
    annotations: { "run.oci.seccomp_fail_unknown_syscall": "1" },
    linux: { ...spec.linux, ...SECCOMP.linux },
  }));
  assert.match(host.run(["create", "-b", "/bundle", "c2"], strict).err, /no system call .*new_call/);
});

test("run.oci.seccomp.receiver: the agent of a filter that notifies", () => {
  const host = annotated({}, { listeners: ["/run/agent.sock"] });
  host.configure((spec) => ({
    ...spec,
    annotations: { "run.oci.seccomp.receiver": "/run/agent.sock" },
    linux: {
      ...spec.linux,
      seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }] },
    },
  }));
  const { kernel } = host;
  const load = (): number => kernel.fs.dup(0, 3);
  assert.equal(
    host.run(["run", "-d", "-b", "/bundle", "c1"], { ...kernel, seccomp: { ...kernel.seccomp, load } }).code,
    0,
  );
  assert.equal(host.sent.get("/run/agent.sock")?.[0]?.files.length, 1);
});
