#!/bin/sh
# Says who this container is and what it can see of the machine.
limit() {
  # cgroup v2, then v1.
  cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || echo unknown
}

echo "$GREETING from container $(hostname), $(cat built.txt)"
echo "user      $(id)"
echo "process   $$ of $(ls -d /proc/[0-9]* | wc -l) in pid namespace $(readlink /proc/self/ns/pid)"
echo "memory    limit $(limit)"
echo "network   $(ls /sys/class/net | tr '\n' ' ')"
