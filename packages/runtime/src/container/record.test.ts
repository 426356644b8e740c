import assert from "node:assert/strict";
import { test } from "node:test";
import { type ContainerRecord, headOfText, textOfRecord } from "./record.ts";

const RECORD: ContainerRecord = {
  version: 1,
  ociVersion: "1.3.0",
  id: "c1",
  pid: 42,
  startTime: 1234,
  bundle: '/b\n,und"le',
  rootfs: "/bundle/rootfs",
  created: "2026-01-01T00:00:00.000000000Z",
  annotations: { a: "]},\n", cgroup: '{"head":' },
  cgroup: {
    kind: "legacy",
    directories: [
      { controllers: "pids", path: "/sys/fs/cgroup/pids/c1" },
      { controllers: "freezer", path: "/sys/fs/cgroup/freezer/c1" },
      { controllers: "", path: "/sys/fs/cgroup/unified/c1" },
    ],
  },
  namespaces: ["pid"],
  ownPidNamespace: true,
  hooks: {},
};

test("textOfRecord: a document whose first line is the head", () => {
  const text = textOfRecord(RECORD);
  const { head, ...rest } = JSON.parse(text) as ContainerRecord & { head: unknown };
  assert.deepEqual(rest, RECORD);
  assert.ok(Array.isArray(head));
  // Nothing behind the first line is looked at.
  const { pid, freezerFile, ...others } = headOfText(`${text.slice(0, text.indexOf("\n"))}\n}`);
  assert.equal(pid, 42);
  assert.equal(freezerFile, "/sys/fs/cgroup/freezer/c1/freezer.state");
  for (const [name, value] of Object.entries(others)) assert.deepEqual(value, RECORD[name as keyof ContainerRecord]);
});

test("headOfText: the record as earlier versions wrote it, and after another program has written it anew", () => {
  const { freezerFile, bundle, annotations } = headOfText(JSON.stringify(RECORD));
  assert.deepEqual({ freezerFile, bundle, annotations }, { ...headOf(RECORD) });
  const anew = JSON.stringify({ ...(JSON.parse(textOfRecord(RECORD)) as object), pid: 43 });
  assert.equal(headOfText(anew).pid, 43);
});

const headOf = ({ bundle, annotations }: ContainerRecord): object => ({
  freezerFile: "/sys/fs/cgroup/freezer/c1/freezer.state",
  bundle,
  annotations,
});

test("headOfText: the freezer of cgroup v2 when v1 has none; none without cgroups", () => {
  const withDirectories = (directories: ContainerRecord["cgroup"]["directories"]): string =>
    headOfText(textOfRecord({ ...RECORD, cgroup: { kind: "unified", directories } })).freezerFile;
  assert.equal(withDirectories([{ controllers: "", path: "/sys/fs/cgroup/c1" }]), "/sys/fs/cgroup/c1/cgroup.freeze");
  assert.equal(withDirectories([]), "");
});
