"""The write side of the warehouse: a session in which one new part is built."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from data.editions.connection import (
    SCHEMAS,
    attach_parts,
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
from data.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# DuckDB keeps what it has written in memory as far as its limit allows, and a load is slower for
# it: with a million customers 200 s at 14 GB and 185 s at 5 GB. A delivery above 600 MB gets more;
# the rest spills to disk.
MEMORY_CAP_BYTES = 5_000_000_000
MEMORY_CAP_PER_INPUT_BYTE = 8


class BuildSession:
    """One writable part under construction, as `open_build_session` returns it.

    The new part is the catalog `part` with the schemas `part.history` and `part.current`, empty at
    first; the older parts are p0 (oldest) … pk, read-only. Unqualified tables (`create table staged
    as …`) live in memory, may spill to disk, and are dropped at the end.
    """

    def __init__(self, root: duckdb.DuckDBPyConnection, part: Path, older: list[str]):
        self._root = root
        self.path = part
        self.older = older
        self._runner = ThreadPoolExecutor(1, "build-session")

    @contextmanager
    def worker_session(self) -> Generator[BuildSession]:
        """Open a second session on the same part, for statements that another thread runs.

        Temp tables and names given with `register` belong to one session; everything else is
        shared. An exception in the block interrupts the statement of the worker session.
        """
        worker = BuildSession(self._root.cursor(), self.path, self.older)
        try:
            yield worker
        except BaseException:
            worker._root.interrupt()
            # A connection that is still busy refuses to close; this must not hide the first error.
            with suppress(duckdb.Error):
                worker.abandon()
            raise
        worker.abandon()

    def run(self, sql: str | Path, label: str = "", /, **params: Any) -> None:
        """Run one or more statements, in order.

        Parameters
        ----------
        sql
            The text, or the path of a .sql file.
        label
            Name of the statement in error messages; the file's name by default.
        params
            Values for `$name`. Each statement takes those that it names; others are ignored, so
            that several files can share one set.

        Raises
        ------
        QueryError
            With label, number of the statement and DuckDB's reason.
        """
        self._last(sql, label, params, execute)

    def frame(self, sql: str | Path, label: str = "", /, **params: Any) -> pd.DataFrame:
        """Run as `run`; return the last statement's rows as a pandas frame (see `connection`)."""
        return self._last(sql, label, params, fetch_frame)

    def table(self, sql: str | Path, label: str = "", /, **params: Any) -> pa.Table:
        """Run as `run`; return the last statement's rows as a pyarrow table in exact types."""
        return self._last(sql, label, params, fetch_table)

    def one(self, sql: str | Path, label: str = "", /, **params: Any) -> tuple[Any, ...] | None:
        """Run as `run`; return the last statement's first row, or None."""
        return self._last(sql, label, params, fetch_row)

    def register(self, data: Any, name: str) -> None:
        """Make a pyarrow table, a record batch reader (read once) or a frame readable as `name`."""
        self._root.register(name, data)

    def unregister(self, name: str) -> None:
        """Remove a name that was given with `register`."""
        self._root.unregister(name)

    def views(self) -> list[str]:
        """Create or replace one view per table, over the older parts and the new one.

        Returns the names of the views, which are the bare names of the tables.
        """
        return create_views(self._root, [*self.older, "part"])

    def close(self) -> None:
        """Checkpoint the part, detach it and close the connection.

        Raises
        ------
        QueryError
            When the disk refuses.
        UserError
            When a write-ahead log is left beside the part.
        """
        with translate_errors(self.path.name):
            self._root.execute("checkpoint part")
            self._root.execute("detach part")
        self.abandon()
        if Path(f"{self.path}.wal").exists():
            raise UserError("part_not_written_whole", name=self.path.name)

    def abandon(self) -> None:
        """Close the connection whatever the state of the part."""
        self._runner.shutdown()
        self._root.close()

    def _last(self, sql: str | Path, label: str, params: dict, fetch: Callable) -> Any:
        if isinstance(sql, Path):
            label = label or sql.name
            sql = sql.read_text(encoding="utf-8")
        with translate_errors(label, sql):
            statements = duckdb.extract_statements(sql)
        result = None
        for number, statement in enumerate(statements, 1):
            where = f"{label}, statement {number}" if len(statements) > 1 else label
            with translate_errors(where, statement.query):
                names = statement.named_parameters
                values = {name: params[name] for name in names if name in params}
                run = fetch if number == len(statements) else execute
                result = self._interruptible(run, statement, values)
        return result

    def _interruptible(self, run: Callable, statement: duckdb.Statement, values: dict) -> Any:
        # DuckDB handles signals only when a statement ends: Ctrl-C would take minutes. A thread
        # that waits for the statement receives it at once.
        running = self._runner.submit(run, self._root, statement, values)
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

    Parameters
    ----------
    part
        The file to create.
    older
        Parts before it, oldest first.
    memory
        DuckDB's limit, as "4GB". By default 60 % of the machine's memory, capped at
        `MEMORY_CAP_BYTES` or `MEMORY_CAP_PER_INPUT_BYTE` times the delivery, whichever is larger.
    input_bytes
        Size of the delivery; 0 when unknown, which leaves the limit uncapped.
    spill
        Folder for data that does not fit in memory; beside the part by default.
    read_dirs
        The only folders whose files SQL may read. DuckDB has no narrower permission: it may write
        there too.
    keep_order
        False is faster: rows keep an order only where the statement has ORDER BY.
    """
    root = connect(memory, threads, spill or part.parent / f"{part.name}.spill")
    try:
        with translate_errors(part.name):
            if memory is None and input_bytes:
                _lower_memory_limit(
                    root, max(MEMORY_CAP_BYTES, MEMORY_CAP_PER_INPUT_BYTE * input_bytes)
                )
            _retain_blocks(root)
            names = attach_parts(root, list(older))
            root.execute(f"attach {quote(part)} as part")
            for schema in SCHEMAS:
                root.execute(f"create schema part.{schema}")
            root.execute(f"set preserve_insertion_order={str(keep_order).lower()}")
            # A part is written once and checkpointed at the end; a checkpoint after every statement
            # slows a build.
            root.execute("set checkpoint_threshold='1TB'")
            # For short IN lists DuckDB's rewrite to a hash join costs more in planning than it
            # saves.
            root.execute("set disabled_optimizers='in_clause'")
            # Money is passed to Arrow in the 64 bits in which it is stored.
            root.execute("set arrow_output_version='1.5'")
            folders = ", ".join(quote(f"{Path(folder).resolve()}/") for folder in read_dirs)
            root.execute(f"set allowed_directories=[{folders}]")
            lock_configuration(root)
    except BaseException:
        root.close()
        raise
    return BuildSession(root, part, names)


def _lower_memory_limit(root: duckdb.DuckDBPyConnection, limit: int) -> None:
    """Lower the memory limit to `limit` bytes; it is never raised."""
    if limit < memory_limit(root):
        root.execute(f"set memory_limit='{limit // 1_000_000}MB'")


def _retain_blocks(root: duckdb.DuckDBPyConnection) -> None:
    """Keep the blocks that DuckDB frees in the process, up to its memory limit.

    Returning pages to the operating system and fetching zeroed ones again took a fifth of a load's
    processor time (decision 28); see `data.editions.memory` for NumPy and Arrow.
    """
    root.execute(f"set block_allocator_memory='{memory_limit(root) // 1_000_000}MB'")
