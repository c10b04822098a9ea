"""The write side of the warehouse: a session in which one new part is built."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from data.editions.connection import (
    SCHEMAS,
    attach_parts,
    bind,
    connect,
    create_views,
    execute,
    fetch_frame,
    fetch_row,
    fetch_table,
    lock_configuration,
    memory_limit,
    quote,
    translate_errors,
)
from data.editions.memory import retain_freed_memory
from data.errors import UserError

# DuckDB keeps what it has written in memory as far as its limit allows, and a load is slower for it:
# with a million customers 200 s at 14 GB and 185 s at 5 GB. A delivery above 600 MB gets more; the
# rest spills to disk.
MEMORY_CAP_BYTES = 5_000_000_000
MEMORY_CAP_PER_INPUT_BYTE = 8


class BuildSession:
    """One writable part under construction. Made by `open_build_session`.

    The new part is the catalog `part` with empty schemas `part.kept` and `part.head`; the older parts are p0 (oldest) …
    pk, read-only. Unqualified tables (`create table staged as …`) live in memory, may spill to disk, and are gone at
    the end.
    """

    def __init__(self, root: duckdb.DuckDBPyConnection, part: Path, older: list[str]):
        self._root, self.path, self.older = root, part, older
        self._runner = ThreadPoolExecutor(1, "workshop")

    @contextmanager
    def worker_session(self) -> Generator[BuildSession]:
        """The same session for another thread, to run statements at the same time. Temp tables and `arrow` names are
        each hand's own, all else is seen by both. An exception in the block stops what the second hand is running.
        """
        hand = BuildSession(self._root.cursor(), self.path, self.older)
        try:
            yield hand
        except BaseException:
            hand._root.interrupt()
            raise
        finally:
            hand.abandon()

    def run(self, sql: str | Path, label: str = "", /, **params: Any) -> None:
        """Run one or more statements, in order.

        sql     the text, or the path of a .sql file; with several statements, each takes the parameters that it names
        params  values for `:name`; those that no statement names are let pass, so that a row of files can share one set

        Raises QueryError with label, statement number and DuckDB's reason.
        """
        self._last(sql, label, params, execute)

    def frame(self, sql: str | Path, label: str = "", /, **params: Any):
        """As `run`; the last statement's rows as a pandas frame (types: see the module)."""
        return self._last(sql, label, params, fetch_frame)

    def table(self, sql: str | Path, label: str = "", /, **params: Any):
        """As `run`; the last statement's rows as a pyarrow table, in DuckDB's exact types."""
        return self._last(sql, label, params, fetch_table)

    def one(self, sql: str | Path, label: str = "", /, **params: Any) -> tuple | None:
        """As `run`; the last statement's first row, or None."""
        return self._last(sql, label, params, fetch_row)

    def arrow(self, data: Any, name: str) -> None:
        """Make a pyarrow table, a record batch reader (readable once) or a pandas frame readable under `name`."""
        self._root.register(name, data)

    def forget(self, name: str) -> None:
        """Undo `arrow`."""
        self._root.unregister(name)

    def views(self) -> list[str]:
        """(Re)make one view per table under its bare name, over the older parts and the new one; their names."""
        return create_views(self._root, [*self.older, "part"])

    def close(self) -> None:
        """Write everything into the file and let go of it.

        Raises QueryError when the disk refuses, UserError when a write-ahead log is left.
        """
        with translate_errors("closing the new part"):
            self._root.execute("checkpoint part")
            self._root.execute("detach part")
        self.abandon()
        if Path(f"{self.path}.wal").exists():
            raise UserError("part_not_written_whole", name=self.path.name)

    def abandon(self) -> None:
        """Let go of the files, whatever their state."""
        self._runner.shutdown()
        self._root.close()

    def _last(self, sql: str | Path, label: str, params: dict, fetch: Callable):
        if isinstance(sql, Path):
            label, sql = label or sql.name, sql.read_text(encoding="utf-8")
        with translate_errors(label, sql):
            statements = duckdb.extract_statements(bind(sql))
        given = None
        for number, statement in enumerate(statements, 1):
            where = f"{label}, statement {number}" if len(statements) > 1 else label
            with translate_errors(where, statement.query):
                wanted = {name: params[name] for name in statement.named_parameters if name in params}
                act = fetch if number == len(statements) else execute
                given = self._interruptible(act, statement, wanted)
        return given

    def _interruptible(self, act: Callable, statement: Any, wanted: dict) -> Any:
        # DuckDB looks at signals only when a statement ends: Ctrl-C would wait for minutes. A waiting thread sees it.
        running = self._runner.submit(act, self._root, statement, wanted)
        try:
            return running.result()
        except KeyboardInterrupt:
            self._root.interrupt()
            raise


def open_build_session(
    part: Path,
    older: Iterable[Path] = (),
    *,
    memory: str | None = None,
    input_bytes: int = 0,
    threads: int | None = None,
    spill: Path | None = None,
    read_dirs: Iterable[Path] = (),
    keep_order: bool = False,
) -> BuildSession:
    """Open a build session on a new file.

    memory      DuckDB's limit, as "4GB"; None: 60 % of the machine's memory, or what is enough for the delivery
    input_bytes size of the delivery, 0 where it is not known
    spill       folder for what does not fit; None: beside the part
    read_dirs   the only folders whose files SQL may read (and, DuckDB allows no less, write): the delivery
    keep_order  False, the fast way: rows keep an order only where the statement has ORDER BY
    """
    root = connect(memory, threads, spill or part.parent / f"{part.name}.spill")
    try:
        with translate_errors(f"opening {part.name}"):
            if memory is None and input_bytes:
                _lower_memory_limit(root, max(MEMORY_CAP_BYTES, MEMORY_CAP_PER_INPUT_BYTE * input_bytes))
            _retain_blocks(root)
            names = attach_parts(root, list(older))
            root.execute(f"attach {quote(part)} as part")
            for schema in SCHEMAS:
                root.execute(f"create schema part.{schema}")
            root.execute(f"set preserve_insertion_order={str(keep_order).lower()}")
            # A part is written once and checkpointed at the end; a checkpoint after every statement slows a build.
            root.execute("set checkpoint_threshold='1TB'")
            # Lists of codes are short: a plan that joins them takes longer to make than they take to be looked through.
            root.execute("set disabled_optimizers='in_clause'")
            # Money comes to Arrow in the 64 bits in which it is kept.
            root.execute("set arrow_output_version='1.5'")
            folders = ", ".join(quote(f"{Path(folder).resolve()}/") for folder in read_dirs)
            root.execute(f"set allowed_directories=[{folders}]")
            lock_configuration(root)
    except BaseException:
        root.close()
        raise
    return BuildSession(root, part, names)


def _lower_memory_limit(root: duckdb.DuckDBPyConnection, limit: int) -> None:
    """Lower the limit of memory to so many bytes; it is never raised."""
    if limit < memory_limit(root):
        root.execute(f"set memory_limit='{limit // 1_000_000}MB'")


def _retain_blocks(root: duckdb.DuckDBPyConnection) -> None:
    """Blocks that DuckDB lets go of stay its own up to the limit, and so does what NumPy lets go of: a system that
    takes pages back and hands them out again, blank, took a fifth of a load's processor time (decision 28).
    """
    root.execute(f"set block_allocator_memory='{memory_limit(root) // 1_000_000}MB'")
    retain_freed_memory()
