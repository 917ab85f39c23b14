#!/usr/bin/python3
"""Attempts to get out of the sandbox of calls, or to take more than it allows. A test puts this file into a tree as
bin/attempt, and runs it inside and outside: `attempt NAME ARGUMENTS...` ends with 0 if the attempt has succeeded, and
with 1 and the reason on standard error if it was denied."""

import ctypes
import mmap
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time

MIB = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {
    "x86_64": {"bpf": 321, "perf_event_open": 298, "io_uring_setup": 425, "memfd_create": 319, "userfaultfd": 323,
               "init_module": 175, "open_by_handle_at": 304, "add_key": 248, "keyctl": 250, "ptrace": 101},
    "aarch64": {"bpf": 280, "perf_event_open": 241, "io_uring_setup": 425, "memfd_create": 279, "userfaultfd": 282,
                "init_module": 105, "open_by_handle_at": 265, "add_key": 217, "keyctl": 219, "ptrace": 117},
}[os.uname().machine]


class Denied(Exception):
    pass


def checked(result, what):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def system_call(name, *arguments):
    return checked(libc.syscall(ctypes.c_long(NUMBERS[name]), *arguments), name)


def in_child(action):
    """Runs the action in a child, and passes its failure on."""
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        except BaseException as problem:
            print(repr(problem), file=sys.stderr, flush=True)
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise Denied("in a child")


# ---- files ----


def read_file(path):
    with open(path, "rb") as file:
        print(file.read(100))


def write_file(path):
    with open(path, "wb") as file:
        file.write(b"was here")


def write_all_of(*paths):
    """Any of them will do."""
    for path in paths:
        try:
            return write_file(path)
        except OSError as problem:
            print(problem, file=sys.stderr)
    raise Denied("none of them")


def change_tree(tree):
    """Any change of the tree will do."""
    for change in (lambda: write_file(f"{tree}/new"), lambda: write_file(f"{tree}/bin/attempt"),
                   lambda: os.chmod(f"{tree}/data", 0o777), lambda: os.unlink(f"{tree}/data"),
                   lambda: os.rename(f"{tree}/data", f"{tree}/other"), lambda: os.utime(f"{tree}/data", (1, 1)),
                   lambda: os.symlink("/", f"{tree}/link")):
        try:
            return change()
        except OSError as problem:
            print(problem, file=sys.stderr)
    raise Denied("nothing of the tree can be changed")


def leave_by_root(path):
    """By the root and working directories of processes."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for way in ("root", "cwd"):
            try:
                return read_file(f"/proc/{pid}/{way}/../../../../{path}")
            except OSError as problem:
                print(problem, file=sys.stderr)
    raise Denied("no process leads there")


def leave_by_chroot(path):
    os.makedirs("/tmp/prison", exist_ok=True)
    outside = os.open("/", os.O_RDONLY)
    os.chroot("/tmp/prison")
    os.fchdir(outside)
    for _ in range(20):
        os.chdir("..")
    os.chroot(".")
    read_file(path)


def leave_by_handle():
    """The root directory of a file system by a handle that was made up."""
    handle = struct.pack("II", 8, 1) + struct.pack("II", 2, 0)
    where = os.open("/usr" if os.path.exists("/app") else "/", os.O_RDONLY)
    os.close(system_call("open_by_handle_at", where, handle, os.O_RDONLY))


def make_device():
    os.mknod("/tmp/device", 0o600 | 0o020000, os.makedev(1, 11))  # /dev/kmsg
    try:
        os.close(os.open("/tmp/device", os.O_RDONLY))
    finally:
        os.unlink("/tmp/device")


def open_device(*paths):
    for path in paths:
        try:
            return os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        except OSError as problem:
            print(problem, file=sys.stderr)
    raise Denied("no such device")


# ---- what belongs to others ----


def find_in_environment(name):
    if name in os.environ:
        return
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if name.encode() in file.read():
                    return
        except OSError as problem:
            print(problem, file=sys.stderr)
    raise Denied("no process has it")


def see_process(mark):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        if mark.encode() in words and b"attempt" not in b" ".join(words):
            return
    raise Denied("it is not to be seen")


def signal_process(pid):
    os.kill(int(pid), 0)


def signal_all():
    """Whatever a process may signal; the test looks what is left."""
    os.kill(-1, signal.SIGKILL)
    time.sleep(60)


def trace_child():
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    try:
        system_call("ptrace", 16, pid, 0, 0)  # PTRACE_ATTACH
    finally:
        os.kill(pid, signal.SIGKILL)


def read_memory_of(pid):
    local = ctypes.create_string_buffer(16)

    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        start = int(file.readline().split("-")[0], 16)
    ours = Vector(ctypes.cast(local, ctypes.c_void_p), 16)
    theirs = Vector(start, 16)
    checked(libc.process_vm_readv(int(pid), ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0), "process_vm_readv")


def use_descriptors():
    """Another descriptor than the three streams; the listing itself has one, and an interpreter its script."""
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if int(name) > 2 and "secret" in target:
            return print(os.pread(int(name), 100, 0))
    raise Denied("there is none")


def use_any_descriptor():
    found = [name for name in os.listdir("/proc/self/fd")
             if int(name) > 2 and os.path.exists(f"/proc/self/fd/{name}")]
    if not found:
        raise Denied("there is none")
    print(found)


def use_keyring():
    key = system_call("add_key", b"user", b"lull-test", b"secret", ctypes.c_size_t(6), ctypes.c_int(-3))
    print(key)


def find_key(number):
    """A key in the session keyring of the process that started us."""
    found = ctypes.create_string_buffer(100)
    system_call("keyctl", 11, int(number), found, ctypes.c_size_t(100))  # KEYCTL_READ
    print(found.value)


# ---- networks ----


def connect(port):
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
        print(connection.recv(10))


def connect_unix(address):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(address.replace("@", "\0"))
        print(connection.recv(10))


def open_socket(family, kind, protocol=0):
    socket.socket(getattr(socket, family), getattr(socket, kind), int(protocol)).close()


# ---- privileges ----


def run_setuid(program):
    out = subprocess.run([program, "-u"], capture_output=True, text=True, check=True).stdout
    if out.strip() != "0":
        raise Denied(f"it ran as {out.strip()}")


def become_root():
    in_child(lambda: (os.setgid(0), os.setuid(0)))


def mount_memory():
    os.makedirs("/tmp/mounted", exist_ok=True)
    in_child(lambda: checked(libc.mount(b"none", b"/tmp/mounted", b"tmpfs", 0, None), "mount"))


def remount_tree(tree):
    in_child(lambda: checked(libc.mount(None, tree.encode(), None, 32 | 4096, None), "mount"))  # REMOUNT | BIND


def nest():
    in_child(lambda: checked(libc.unshare(0x10000000), "unshare"))  # CLONE_NEWUSER


def nest_by_clone():
    flags = 0x10000000 | signal.SIGCHLD
    pid = libc.syscall(ctypes.c_long({"x86_64": 56, "aarch64": 220}[os.uname().machine]), flags, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(checked(pid, "clone"), 0)


def join_namespace():
    def join():
        namespace = os.open("/proc/1/ns/net", os.O_RDONLY)
        checked(libc.setns(namespace, 0), "setns")

    in_child(join)


def name_host():
    in_child(lambda: checked(libc.sethostname(b"taken", 5), "sethostname"))


def be_preferred():
    in_child(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))


def raise_limits():
    def more():
        for limit in (100, 101):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    in_child(more)


def escape_memory_killer():
    write = "-900"
    with open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
        file.write(write)


def dump_core():
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))


def call(name):
    arguments = {"bpf": (0, 0, 0), "perf_event_open": (0, 0, 0, 0, 0), "memfd_create": (b"x", 0), "userfaultfd": (1,),
                 "io_uring_setup": (1, ctypes.create_string_buffer(200)), "init_module": (0, 0, b"")}[name]
    try:
        system_call(name, *arguments)
    except OSError as problem:
        if problem.errno in (1, 38):  # EPERM, ENOSYS; others tell that the kernel has looked at the arguments
            raise


def share_memory():
    checked(libc.shmget(0, ctypes.c_size_t(MIB), 0o1600), "shmget")


# ---- more than one's share ----


def fork_many(count):
    started = []
    try:
        for _ in range(int(count)):
            pid = os.fork()
            if pid == 0:
                signal.pause()
            started.append(pid)
    finally:
        print(len(started), flush=True)
        for pid in started:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def take_memory(size):
    taken = bytearray(int(size))
    print(len(taken))


def map_shared(size):
    taken = mmap.mmap(-1, int(size), mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    print(len(taken))


def fill(directory, size):
    """In files of a MiB."""
    made = []
    try:
        for i in range(int(size) // MIB):
            made.append(f"{directory}/fill-{os.getpid()}-{i}")
            with open(made[-1], "wb", buffering=0) as file:
                if file.write(b"x" * MIB) < MIB:
                    raise Denied("no space")
    finally:
        for path in made:
            os.unlink(path)


def write_large(path, size):
    try:
        with open(path, "wb", buffering=0) as file:
            file.truncate(int(size))
    finally:
        if os.path.exists(path):
            os.unlink(path)


def write_forever():
    while True:
        os.write(1, b"x" * 65536)


def wait_forever():
    while True:
        time.sleep(60)


def burn():
    while True:
        pass


def leave_behind(mark):
    """A process in a session of its own that ignores what can be ignored, and outlives us if it can."""
    for _ in range(2):
        if os.fork() != 0:
            os._exit(0)
        os.setsid()
    for stream in range(3):
        os.dup2(os.open("/dev/null", os.O_RDWR), stream)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.execv("/usr/bin/sleep", ["sleep", mark])


def main():
    name, *arguments = sys.argv[1:]
    try:
        globals()[name](*arguments)
    except (OSError, Denied, MemoryError, ValueError, ProcessLookupError) as problem:
        print(f"denied: {problem!r}", file=sys.stderr)
        sys.exit(1)


main()
