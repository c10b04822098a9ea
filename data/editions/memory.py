"""What becomes of memory that the process lets go of."""

import ctypes

import pyarrow as pa

# The parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# What is smaller comes from the heap, not from a mapping of its own. glibc takes no more than 32 MiB.
_MAPPED_FROM = 32 * 2**20
_TRIMMED_FROM = 2**31 - 1


def retain_freed_memory() -> None:
    """Keep what NumPy and Arrow let go of for what comes next, until the process ends; another C library than glibc
    goes its own way. Arrays of some megabytes, made and dropped by the hundred, otherwise fetch blank pages from the
    system every time.
    """
    # Arrow's own pool keeps apart what NumPy could use, and gives it back.
    pa.set_memory_pool(pa.system_memory_pool())
    settle = getattr(ctypes.CDLL(None), "mallopt", None)
    if settle:
        settle(_MMAP_THRESHOLD, _MAPPED_FROM)
        settle(_TRIM_THRESHOLD, _TRIMMED_FROM)
