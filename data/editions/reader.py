"""The read side of the warehouse: readers of one edition, and the service that follows CURRENT."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import duckdb

from data.editions import manifest
from data.editions.connection import (
    Busy,
    QueryError,
    attach_parts,
    connect,
    create_views,
    fetch_frame,
    fetch_row,
    fetch_table,
    lock_configuration,
    translate_errors,
)
from data.editions.manifest import CURRENT, PREVIOUS, Edition, OlderFormat
from data.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TIMEOUT_SECONDS = 15.0
_QUERY_SLOTS = threading.BoundedSemaphore(2)


class EditionReader:
    """The parts of one edition, opened read-only.

    `Warehouse.session` yields one; a candidate edition is checked with one before it is published.

    Attributes
    ----------
    edition
        The published edition; None for a candidate.
    newest
        Catalog name of the last part.
    tables
        Names of the views.
    readers
        Number of sessions that hold it.
    """

    def __init__(
        self,
        parts: Iterable[Path],
        edition: Edition | None = None,
        *,
        memory: str | None = None,
        threads: int | None = None,
        spill: Path | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ):
        """Attach the parts and create the views.

        Raises
        ------
        UserError
            When a file is missing, damaged, no DuckDB file, or written by a newer DuckDB.
        """
        self.edition = edition
        self.timeout = timeout
        self.readers = 0
        # Two roots in one spill folder would overwrite each other's files.
        self._spill = tempfile.TemporaryDirectory(
            prefix="bank-", dir=spill, ignore_cleanup_errors=True
        )
        self._root = connect(memory, threads, Path(self._spill.name) / "spill")
        self._cursor_lock = threading.Lock()
        try:
            with translate_errors(edition=edition):
                names = attach_parts(self._root, list(parts))
                self.newest = names[-1]
                self.tables = tuple(create_views(self._root, names))
                lock_configuration(self._root)
        except BaseException:
            self.close()
            raise

    def query(self, sql: str, timeout: float | None = None, /, **params: Any) -> pd.DataFrame:
        """Run one SELECT with bound `$name` parameters.

        Returns
        -------
        pandas.DataFrame
            integer: numpy intN, or pandas IntN when the values include a null; bool likewise;
            date and timestamp: datetime64[us]; enum: category; text: pandas str; decimal and
            hugeint (every sum of money or of integers): float64, see `connection`; count(*): int64.
            Cast a sum of integers to bigint in SQL to get int64.

        Raises
        ------
        QueryError
            Also for a parameter that is missing or not used.
        TooSlow
            After `timeout` seconds, `self.timeout` by default.
        Busy
            When no query slot came free within that time.
        """
        return self._answer(sql, params, timeout, fetch_frame)

    def arrow(self, sql: str, timeout: float | None = None, /, **params: Any) -> pa.Table:
        """Run as `query`; return a pyarrow table in DuckDB's exact types."""
        return self._answer(sql, params, timeout, fetch_table)

    def one(
        self, sql: str, timeout: float | None = None, /, **params: Any
    ) -> tuple[Any, ...] | None:
        """Run as `query`; return the first row as Python values (money as Decimal), or None."""
        return self._answer(sql, params, timeout, fetch_row)

    def close(self) -> None:
        """Close the connection and remove its spill folder."""
        self._root.close()
        self._spill.cleanup()

    def _answer(self, sql: str, params: dict, timeout: float | None, fetch: Callable) -> Any:
        seconds = self.timeout if timeout is None else timeout
        with translate_errors(sql=sql):
            names = _parameter_names(sql)
        if names != params.keys():
            missing = sorted(names - params.keys())
            unused = sorted(params.keys() - names)
            raise QueryError("query_parameters", missing=missing, unused=unused, sql=sql)
        if not _QUERY_SLOTS.acquire(timeout=seconds):
            raise Busy("busy", seconds=seconds)
        try:
            with self._cursor_lock:
                cursor = self._root.cursor()
            with (
                contextlib.closing(cursor),
                _interrupt_after(cursor, seconds),
                translate_errors(sql=sql, seconds=seconds),
            ):
                return fetch(cursor, sql, params)
        finally:
            _QUERY_SLOTS.release()


class Warehouse:
    """The read side of one home: serves the edition that CURRENT names and follows it.

    Parameters
    ----------
    verify
        "now": compute the sha256 of every part before it is served (once per process and file).
        "background": serve a part whose fingerprint is unchanged since publishing at once and hash
        it in a thread; if it is damaged, fall back and set `degraded_reason`. For the app.
        "fingerprint": serve such a part without hashing it; DuckDB's block checksums remain. For
        one-off commands.

    Attributes
    ----------
    degraded_reason
        None, or the error that explains why the edition of CURRENT is not the one served.
    """

    def __init__(
        self,
        home: Path | str,
        *,
        memory: str | None = None,
        threads: int | None = None,
        spill: Path | None = None,
        timeout: float = TIMEOUT_SECONDS,
        verify: Literal["now", "background", "fingerprint"] = "now",
    ):
        """Open the current edition. Raises UserError when neither CURRENT nor PREVIOUS works."""
        self.home = Path(home)
        self.degraded_reason: UserError | None = None
        self._open_parts = functools.partial(
            EditionReader, memory=memory, threads=threads, spill=spill, timeout=timeout
        )
        self._verify = verify
        self._swap = threading.Lock()
        self._opening = threading.Lock()
        self._current_fingerprint: tuple | None = None
        self._reader: EditionReader | None = None
        self._serve(self._open_best())

    @property
    def edition(self) -> Edition:
        """The edition that is served."""
        return _published(self._serving())

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the views of the edition that is served."""
        return self._serving().tables

    @contextmanager
    def session(self) -> Generator[EditionReader]:
        """Hold one edition for several queries: `with warehouse.session() as reader: …`."""
        with self._swap:
            reader = self._serving()
            reader.readers += 1
        try:
            yield reader
        except QueryError as error:
            if error.is_damage:
                self._distrust(reader)
                if self.degraded_reason:
                    raise UserError("ask_again", reason=self.degraded_reason) from error
            raise
        finally:
            with self._swap:
                reader.readers -= 1
                is_last = reader is not self._reader and reader.readers == 0
            if is_last:
                reader.close()

    def query(self, sql: str, timeout: float | None = None, /, **params: Any) -> pd.DataFrame:
        """Run `EditionReader.query` in the current edition."""
        with self.session() as reader:
            return reader.query(sql, timeout, **params)

    def arrow(self, sql: str, timeout: float | None = None, /, **params: Any) -> pa.Table:
        """Run `EditionReader.arrow` in the current edition."""
        with self.session() as reader:
            return reader.arrow(sql, timeout, **params)

    def one(
        self, sql: str, timeout: float | None = None, /, **params: Any
    ) -> tuple[Any, ...] | None:
        """Run `EditionReader.one` in the current edition."""
        with self.session() as reader:
            return reader.one(sql, timeout, **params)

    def refresh(self) -> bool:
        """Open a newly published edition; True when it changed. Costs one stat when nothing
        changed.

        Any failure keeps the edition that is served and sets `degraded_reason`. Returns at once
        while another thread is opening an edition.
        """
        if (
            _fingerprint_or_none(self.home / CURRENT) == self._current_fingerprint
            and self.degraded_reason is None
        ):
            return False
        if not self._opening.acquire(blocking=False):
            return False
        try:
            return self._follow()
        finally:
            self._opening.release()

    def close(self) -> None:
        """Stop serving; the connection closes when its last session ends."""
        self._serve(None)

    def _serving(self) -> EditionReader:
        if self._reader is None:
            raise UserError("warehouse_closed")
        return self._reader

    def _follow(self) -> bool:
        self._current_fingerprint = _fingerprint_or_none(self.home / CURRENT)
        try:
            edition = manifest.read(self.home / CURRENT)
            if edition.id == self.edition.id:
                self.degraded_reason = None
                return False
            reader = self._open(edition)
        except UserError as error:
            self.degraded_reason = UserError(
                "edition_still_served", reason=error, id=self.edition.id, as_of=self.edition.as_of
            )
            return False
        self._serve(reader)
        self.degraded_reason = None
        return True

    def _serve(self, reader: EditionReader | None) -> None:
        with self._swap:
            old = self._reader
            self._reader = reader
            is_idle = old is not None and old.readers == 0
        if old and is_idle:
            old.close()
        if reader and self._verify == "background":
            threading.Thread(target=self._read_through, args=(reader,), daemon=True).start()

    def _open(self, edition: Edition, trust: bool = True) -> EditionReader:
        manifest.verify(edition, self.home, trust_fingerprints=trust and self._verify != "now")
        return self._open_parts(edition.paths(self.home), edition)

    def _open_best(self, trust: bool = True) -> EditionReader:
        self._current_fingerprint = _fingerprint_or_none(self.home / CURRENT)
        if not (self.home / CURRENT).exists() and not (self.home / PREVIOUS).exists():
            raise UserError("no_edition", home=self.home)
        reasons = []
        for name in (CURRENT, PREVIOUS):
            try:
                edition = manifest.read(self.home / name)
                reader = self._open(edition, trust)
            except UserError as error:
                if name == CURRENT and isinstance(error, OlderFormat):
                    raise
                reasons.append(error)
                continue
            if reasons:
                self.degraded_reason = UserError(
                    "previous_edition_served", reason=reasons[0], id=edition.id, as_of=edition.as_of
                )
            return reader
        raise UserError("no_edition_served", reasons=reasons)

    def _read_through(self, reader: EditionReader) -> None:
        try:
            manifest.verify(_published(reader), self.home)
        except UserError:
            self._distrust(reader)

    def _distrust(self, reader: EditionReader) -> None:
        """Reading failed: hash every part again and serve the best edition that is intact."""
        with self._opening:
            if reader is not self._reader:
                return
            manifest.DIGESTS.clear()
            try:
                self._serve(self._open_best(trust=False))
            except UserError as error:
                self.degraded_reason = error


def _published(reader: EditionReader) -> Edition:
    # A warehouse opens readers for published editions only.
    return cast(Edition, reader.edition)


@functools.lru_cache(maxsize=1024)
def _parameter_names(sql: str) -> frozenset[str]:
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("single_select_only", sql=sql)
    return frozenset(statements[0].named_parameters)


@contextmanager
def _interrupt_after(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Generator[None]:
    done = threading.Event()

    def watch() -> None:
        # Repeated, because an interrupt before the statement has begun has no effect.
        expired = not done.wait(seconds)
        while expired:
            cursor.interrupt()
            expired = not done.wait(0.05)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _fingerprint_or_none(path: Path) -> tuple[int, ...] | None:
    try:
        return manifest.file_fingerprint(path)
    except OSError:
        return None
