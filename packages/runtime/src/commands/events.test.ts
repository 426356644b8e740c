import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeHost } from "../testing/fake-host.ts";
import { parseDuration } from "./events.ts";

const DURATIONS: readonly (readonly [string, number | null])[] = [
  ["5s", 5000],
  ["1m30s", 90_000],
  ["1.5s", 1500],
  ["250ms", 250],
  ["10us", 1],
  ["2h", 7_200_000],
  ["0", 0],
  ["0s", 0],
  ["5", null],
  ["-1s", null],
  ["s", null],
  ["", null],
  ["1s ", null],
];
for (const [text, want] of DURATIONS) {
  test(`parseDuration: ${JSON.stringify(text)} is ${want}`, () => assert.equal(parseDuration(text), want));
}

test("events: invalid for an interval of nothing, conflict when stopped", () => {
  const host = fakeHost();
  host.run(["create", "-b", "/bundle", "c1"]);
  assert.match(host.run(["events", "--interval", "0s", "c1"]).err, /duration interval must be greater than 0/);
  host.run(["kill", "c1", "9"]);
  assert.match(host.run(["events", "--stats", "c1"]).err, /container with id c1 is not running/);
});

test("events --stats: counters of cgroup v1, numbers beyond a double's exact, zeros left out as Go does", () => {
  const host = fakeHost();
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  const write = (path: string, text: string): void => host.writeFileInCgroup(path, text);
  write("memory/c1/memory.limit_in_bytes", "9223372036854771712\n");
  write("memory/c1/memory.usage_in_bytes", "4096\n");
  write("memory/c1/memory.failcnt", "0\n");
  write("memory/c1/memory.stat", "cache 8192\nrss 0\n");
  write("cpuacct/c1/cpuacct.usage", "12345678901\n");
  write("cpuacct/c1/cpuacct.usage_percpu", "1 2 \n");
  write("cpuacct/c1/cpuacct.usage_all", "cpu user system\n0 5 6\n1 7 8\n");
  write("cpuacct/c1/cpuacct.stat", "user 3\nsystem 4\n");
  write("cpu/c1/cpu.stat", "nr_periods 1\nnr_throttled 0\nthrottled_time 9\n");
  write("pids/c1/pids.current", "2\n");
  write("blkio/c1/blkio.throttle.io_service_bytes_recursive", "8:0 Read 4096\n8:0 Write 0\nTotal 4096\n");
  const { out } = host.run(["events", "--stats", "c1"]);
  assert.match(out, /^\{"type":"stats","id":"c1","data":\{"cpu":\{"usage":\{"total":12345678901,"percpu":\[1,2\],/);
  for (const part of [
    '"percpu_kernel":[6,8],"percpu_user":[5,7],"kernel":40000000,"user":30000000}',
    '"throttling":{"periods":1,"throttledTime":9}',
    '"memory":{"cache":8192,"usage":{"limit":9223372036854771712,"usage":4096,"failcnt":0}',
    '"raw":{"cache":8192,"rss":0}',
    '"pids":{"current":2}',
    '"blkio":{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":4096},{"major":8,"op":"Write"}]}',
    '"hugetlb":{},"intel_rdt":{},"network_interfaces":null}}',
  ])
    assert.ok(out.includes(part), `${part} in ${out}`);
  JSON.parse(out);
});

test("events --stats: counters of cgroup v2 in the words of v1", () => {
  const host = fakeHost({ cgroups: [""] });
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  const write = (name: string, text: string): void => host.writeFileInCgroup(`c1/${name}`, text);
  write("cpu.stat", "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 4\n");
  write(
    "cpu.pressure",
    "some avg10=0.50 avg60=1.00 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
  );
  write("memory.current", "100\n");
  write("memory.max", "1000\n");
  write("memory.swap.max", "max\n");
  write("memory.swap.current", "11\n");
  write("memory.stat", "anon 1\nfile 2\n");
  write("memory.events", "low 0\nmax 3\noom_kill 1\n");
  write("io.stat", "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n");
  write("cpuset.cpus.effective", "0-2,5\n");
  write("hugetlb.2MB.current", "2097152\n");
  write("hugetlb.2MB.events", "max 1\n");
  const { out } = host.run(["events", "--stats", "c1"]);
  for (const part of [
    '"usage":{"total":5000,"kernel":2000,"user":3000},"throttling":{"periods":4}',
    '"psi":{"some":{"avg10":0.5,"avg60":1,"avg300":0,"total":77},"full":{',
    '"cpus":[0,1,2,5]',
    '"cache":2,"usage":{"limit":1000,"usage":100,"failcnt":3}',
    '"swap":{"limit":18446744073709551615,"usage":111,"failcnt":0}',
    '"ioServicedRecursive":[{"major":8,"minor":16,"op":"Read","value":3},',
    '"hugetlb":{"2MB":{"usage":2097152,"failcnt":1}}',
  ])
    assert.ok(out.includes(part), `${part} in ${out}`);
});

test("events: stats at each interval and OOM kills, until the container ends", () => {
  const host = fakeHost({ cgroups: [""] });
  host.run(["run", "-d", "-b", "/bundle", "c1"]);
  host.writeFileInCgroup("c1/memory.events", "oom_kill 0\n");
  const { kernel } = host;
  let rounds = 0;
  const wait: typeof kernel.poll.wait = () => {
    rounds++;
    if (rounds === 1) return [{ token: 0, events: 1 }];
    if (rounds === 2) {
      host.writeFileInCgroup("c1/memory.events", "oom_kill 1\n");
      return [{ token: 2, events: 1 }];
    }
    return [{ token: 1, events: 1 }];
  };
  const outcome = host.run(["events", "--interval", "10ms", "c1"], {
    ...kernel,
    poll: { ...kernel.poll, wait, readTimer: () => 1, inotify: () => kernel.poll.eventfd() },
  });
  assert.deepEqual(
    outcome.out.split("\n").map((line) => (JSON.parse(line) as { type: string }).type),
    ["stats", "oom"],
  );
  assert.equal(outcome.code, 0);
});
