const t0 = performance.now();
const { applyLayer } = await import("@teu/image/layer/apply");
const { createScope } = await import("@teu/base/scope");
const { createReadStream, rmSync } = await import("node:fs");
console.log("import", performance.now() - t0, "since start", performance.now());
const { decompress } = await import("@teu/image/compression/decompress");
const { createHash } = await import("node:crypto");
const { TarReader } = await import("@teu/image/tar/reader");
const z = process.argv[2]!;
const s = createScope();
for (let i = 0; i < 3; i++) {
  let t = performance.now();
  let n = 0;
  for await (const c of decompress(s, createReadStream(z, { highWaterMark: 1 << 20 }))) n += c.length;
  console.log("inflate", n, performance.now() - t);
  t = performance.now();
  const h = createHash("sha256");
  const r = new TarReader({ entry() {}, data() {}, endEntry() {} });
  let th = 0;
  for await (const c of decompress(s, createReadStream(z, { highWaterMark: 1 << 20 }))) {
    const a = performance.now();
    h.update(c);
    th += performance.now() - a;
    r.write(c);
  }
  console.log("+hash+parse", performance.now() - t, "hash", th);
  t = performance.now();
  const c0 = process.cpuUsage();
  await applyLayer(s, {
    source: createReadStream(z, { highWaterMark: 1 << 20 }),
    mediaType: "application/vnd.oci.image.layer.v1.tar+zstd",
    target: "/dev/shm/zz",
    lower: [],
  });
  const c1 = process.cpuUsage(c0);
  console.log("apply", performance.now() - t, "cpu", c1.user / 1000, c1.system / 1000);
  rmSync("/dev/shm/zz", { recursive: true });
}
