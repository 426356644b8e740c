// The guest's first root: busybox, modules, and a script that goes on with the host's tree. A cpio archive of the "newc" kind.

import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";

const BUSYBOX = "/bin/busybox";

/**
 * The host's tree comes read-only over 9p; what is written goes to a tmpfs over it. Then cgroup v2 alone, and `teu.script` of the
 * kernel's command line, whose output goes to the second serial line. The end is sysrq's, which waits for nobody.
 */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules); do insmod /lib/$module || echo "teu: insmod $module failed"; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=1048576,cache=loose,ro host /host
mount -t tmpfs -o size=3g rw /rw
mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work overlay /new
mount --move /dev /new/dev
for link in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s /proc/self/\${link#*:} /new/dev/\${link%%:*}; done
mkdir -p /new/dev/pts /new/dev/shm /new/dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /new/dev/pts
mount -t tmpfs shm /new/dev/shm
mount -t mqueue mqueue /new/dev/mqueue
mount -t proc proc /new/proc
mount -t sysfs sysfs /new/sys
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
mount -t tmpfs -o mode=755 run /new/run
ip link set lo up
script=$(sed 's/.*teu.script=\\([^ ]*\\).*/\\1/' /proc/cmdline)
# A checkout below /tmp must stay in sight.
case $script in /tmp/*) ;; *) mount -t tmpfs -o mode=1777 tmp /new/tmp ;; esac
cat > /new/run/init <<'END'
#!/bin/bash
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
setsid /bin/bash "$1" </dev/null >/dev/ttyS1 2>&1
echo o > /proc/sysrq-trigger
while :; do sleep 1; done
END
# A second, whole /proc out of sight would let everybody mount new ones.
umount /proc /sys
exec switch_root /new /bin/bash /run/init "$script"
`;

/** Writes it to `target`. The modules are loaded in this order. */
export function writeInitramfs(target: string, modules: readonly string[]): void {
  const archive = new Archive();
  for (const name of ["bin", "lib", "proc", "sys", "dev", "host", "rw", "new"]) archive.directory(name);
  archive.file("bin/busybox", readFileSync(BUSYBOX), 0o755);
  archive.file("init", Buffer.from(INIT), 0o755);
  archive.file("modules", Buffer.from(modules.map((file) => basename(file)).join("\n")), 0o644);
  for (const file of modules) archive.file(`lib/${basename(file)}`, readFileSync(file), 0o644);
  writeFileSync(target, gzipSync(archive.end(), { level: 1 }));
}

/** See Documentation/driver-api/early-userspace/buffer-format: 13 numbers of 8 hexadecimal digits, name, data, each padded to 4. */
class Archive {
  readonly #parts: Buffer[] = [];
  #inode = 1;

  directory(name: string): void {
    this.#entry(name, Buffer.alloc(0), 0o040755);
  }

  file(name: string, data: Buffer, mode: number): void {
    this.#entry(name, data, 0o100000 | mode);
  }

  end(): Buffer {
    this.#entry("TRAILER!!!", Buffer.alloc(0), 0);
    return Buffer.concat(this.#parts);
  }

  #entry(name: string, data: Buffer, mode: number): void {
    const numbers = [this.#inode++, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${numbers.map((number) => number.toString(16).padStart(8, "0")).join("")}${name}\0`;
    this.#parts.push(padded(Buffer.from(head)), padded(data));
  }
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}
