"""Allocator settings: keep freed pages mapped."""

import ctypes

import pyarrow as pa

# The parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# Smaller blocks come from the heap instead of a mapping of their own. glibc allows at most 32 MiB.
_MAPPED_FROM = 32 * 2**20
_TRIMMED_FROM = 2**31 - 1


def retain_freed_memory() -> None:
    """Keep memory freed by NumPy and Arrow in the process until it ends (glibc only).

    Arrays of several megabytes, allocated and freed by the hundred, otherwise fetch zeroed pages
    from the operating system every time.
    """
    # Arrow's own pool holds memory that NumPy could use, and returns it to the system.
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_MMAP_THRESHOLD, _MAPPED_FROM)
        mallopt(_TRIM_THRESHOLD, _TRIMMED_FROM)
