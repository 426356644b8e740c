#!/usr/bin/python3
"""Stands in for CRIU in tests: speaks its RPC with the protocol buffers of CRIU's own Python package, and makes nothing of it.

FAKE_CRIU_LOG: file for a line per request and observation. FAKE_CRIU: "fail" or "die" at the request, "old" for an old version,
"no-tracking" for a kernel without soft-dirty pages.
"""
import ctypes
import os
import signal
import socket
import struct
import sys

from google.protobuf import text_format
from pycriu import rpc_pb2 as rpc

MODE = os.environ.get("FAKE_CRIU", "")
CLONE_PARENT = 0x8000
SYS_CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]


def note(text):
    with open(os.environ["FAKE_CRIU_LOG"], "a") as log:
        print(text, file=log)


def main():
    assert sys.argv[1:] == ["swrk", "3"], sys.argv
    conversation = socket.socket(fileno=3)
    assert conversation.type == socket.SOCK_SEQPACKET
    peer = struct.unpack("3i", conversation.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    while True:
        data = conversation.recv(1 << 20)
        if not data:
            return
        request = rpc.criu_req()
        request.ParseFromString(data)
        note(text_format.MessageToString(request, as_one_line=True))
        answer = rpc.criu_resp(type=request.type, success=True)
        if request.type == rpc.VERSION:
            answer.version.major_number = 3
            answer.version.minor_number = 14 if MODE == "old" else 17
        elif request.type == rpc.FEATURE_CHECK:
            answer.features.mem_track = MODE != "no-tracking"
            answer.features.lazy_pages = True
        elif MODE == "die":
            os._exit(1)
        else:
            serve(conversation, peer, request, answer)
        conversation.send(answer.SerializeToString())


def serve(conversation, peer, request, answer):
    options = request.opts
    note("images are %s" % os.readlink("/proc/%d/fd/%d" % (peer, options.images_dir_fd)))
    with open("/proc/%d/fd/%d/%s" % (peer, options.work_dir_fd, options.log_file), "w") as log:
        print("(00.001) Error (criu/fake.c:1): rlimit: refused as told: Operation not permitted", file=log)
    if MODE == "fail":
        answer.success = False
        answer.cr_errno = 1
    elif request.type == rpc.RESTORE:
        restore(conversation, options, answer)
    elif request.type == rpc.DUMP and not options.leave_running:
        os.kill(options.pid, signal.SIGKILL)


def restore(conversation, options, answer):
    mounts = [line.split()[4] for line in open("/proc/self/mountinfo")]
    note("root is mounted: %s" % (options.root in mounts))
    note("cgroup %s" % open("/proc/self/cgroup").read().split())
    for inherited in options.inherit_fd:
        note("inherited %s is %s" % (inherited.key, os.readlink("/proc/self/fd/%d" % inherited.fd)))
    pid = ctypes.CDLL(None).syscall(SYS_CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os.execv("/bin/sleep", ["sleep", "300"])
    for step in ["setup-namespaces", "post-restore", "post-resume"]:
        notification = rpc.criu_resp(type=rpc.NOTIFY, success=True)
        notification.notify.script = step
        notification.notify.pid = pid
        conversation.send(notification.SerializeToString())
        reply = rpc.criu_req()
        reply.ParseFromString(conversation.recv(1 << 20))
        if not reply.notify_success:
            note("%s was answered with failure" % step)
            os.kill(pid, signal.SIGKILL)
            answer.success = False
            return
    answer.restore.pid = pid


main()
