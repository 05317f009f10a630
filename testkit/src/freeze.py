"""Stops threads of a process while its other threads run, so that a client call which waits for a stopped thread hangs.

    freeze.py PID NAME newest|all

NAME is the threads' name, as in /proc/PID/task/*/comm; `newest` is the thread that started last. Prints "frozen N" and keeps
the threads stopped until standard input ends. Exit status: 3 if this user may not trace the process.
"""

import ctypes
import os
import sys
import threading
import time

PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000


def main(pid, name, which):
    threads = sorted((started(pid, thread), thread) for thread in os.listdir(f"/proc/{pid}/task") if named(pid, thread, name))
    chosen = [thread for _, thread in threads][-1:] if which == "newest" else [thread for _, thread in threads]
    for thread in chosen:
        trace(PTRACE_SEIZE, int(thread))
        trace(PTRACE_INTERRUPT, int(thread))
    print("frozen", len(chosen), flush=True)
    # The kernel resumes the threads when this process ends.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    # A traced thread that ends stays a zombie until its tracer waits for it, and so does its process.
    while True:
        try:
            os.waitpid(-1, WALL)
        except ChildProcessError:
            time.sleep(0.1)


def named(pid, thread, name):
    with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as comm:
        return comm.read().strip() == name


def started(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8") as stat:
        # The text after the name, because the name may contain spaces. The start time is field 22 of proc(5), in ticks.
        return int(stat.read().rpartition(")")[2].split()[19]), int(thread)


def trace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, thread, None, None) != 0:
        print(f"ptrace: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        sys.exit(3)


main(*sys.argv[1:])
