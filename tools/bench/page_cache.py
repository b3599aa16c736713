"""A page cache that is full, as that of a machine that has been up for a while.

Free pages of a virtual machine have often been given back to the host. Who writes to the page cache then waits until the
host has supplied the page, several times longer than the copy takes; with a full cache the kernel uses pages again that
are there. What fills it is a file that is nothing but a hole: it takes memory, and no disk.
"""
import ctypes
import os
import pathlib
import tempfile

PIECE = 4 << 20
PAGE = os.sysconf("SC_PAGESIZE")
LEFT_FREE = 1 << 30
CACHESTAT = 451  # of Linux 6.5; Python has no name for it


def path():
    return pathlib.Path(os.environ.get("MILLRACE_BENCH_DIR") or tempfile.gettempdir()) / "bench-page-cache"


def available():
    line = next(line for line in open("/proc/meminfo") if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def is_cached(fd, at):
    """The piece there, as a whole. Never on kernels that cannot tell."""
    wanted = (ctypes.c_uint64 * 2)(at, PIECE)
    found = (ctypes.c_uint64 * 5)()  # pages cached, dirty, being written, evicted, evicted lately
    return ctypes.CDLL(None).syscall(CACHESTAT, fd, wanted, found, 0) == 0 and found[0] * PAGE >= PIECE


def fill():
    """Reads as much of the file as there is memory that nobody uses; what is there already is left alone, so that it stays what goes first."""
    size = (available() - LEFT_FREE) // PIECE * PIECE
    fd = os.open(path(), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.truncate(fd, max(size, os.fstat(fd).st_size))
        buffer = bytearray(PIECE)
        for at in range(0, size, PIECE):
            if not is_cached(fd, at):
                os.preadv(fd, [buffer], at)
    finally:
        os.close(fd)


def remove():
    path().unlink(missing_ok=True)
