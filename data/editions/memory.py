"""Allocator settings: keep freed pages mapped."""

import ctypes

import pyarrow as pa

# The parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
# Smaller blocks come from the heap instead of a mapping of their own. glibc allows at most 32 MiB.
_MMAP_FROM_BYTES = 32 * 2**20
_TRIM_FROM_BYTES = 2**31 - 1


def retain_freed_memory() -> None:
    """Keep memory freed by NumPy and Arrow in the process until it ends (glibc only).

    For a process that loads one delivery and ends. Arrays of several megabytes, allocated and freed
    by the hundred, otherwise fetch zeroed pages from the operating system every time.
    """
    # Arrow's own pool holds memory that NumPy could use, and returns it to the system.
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_MMAP_THRESHOLD, _MMAP_FROM_BYTES)
        mallopt(_TRIM_THRESHOLD, _TRIM_FROM_BYTES)
