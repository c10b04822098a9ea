"""The read side of the warehouse: readers of one edition, and the service that follows CURRENT."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import duckdb

from data.editions import manifest
from data.editions.connection import (
    Busy,
    QueryError,
    attach_parts,
    bind,
    connect,
    create_views,
    fetch_frame,
    fetch_row,
    fetch_table,
    lock_configuration,
    translate_errors,
)
from data.editions.manifest import CURRENT, PREVIOUS, Edition
from data.errors import UserError

TIMEOUT_SECONDS = 15.0
_QUERY_SLOTS = threading.BoundedSemaphore(2)


class EditionReader:
    """Some parts, opened for reading: what `Warehouse.session` hands out, and what a candidate is checked with.

    newest  the catalog of the last part
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
        """Raises UserError when a file is missing, damaged, no DuckDB file, or written by a newer DuckDB."""
        self.edition, self.timeout, self.readers = edition, timeout, 0
        # A folder of its own: two roots in one spill folder would write over each other's files.
        self._spill = tempfile.TemporaryDirectory(prefix="bank-", dir=spill, ignore_cleanup_errors=True)
        self._root = connect(memory, threads, Path(self._spill.name) / "spill")
        self._making = threading.Lock()
        try:
            with translate_errors("opening the parts", edition=edition):
                names = attach_parts(self._root, list(parts))
                self.newest = names[-1]
                self.tables = tuple(create_views(self._root, names))
                lock_configuration(self._root)
        except BaseException:
            self.close()
            raise

    def query(self, sql: str, timeout: float | None = None, /, **params: Any):
        """One SELECT with bound `:name` parameters → pandas frame.

        Types: integer numpy intN, or pandas IntN where a null is among the values; bool the same; date and timestamp
        datetime64[us]; enum category; text pandas str; decimal and hugeint (so every sum of money or of integers)
        float64, see the module; count(*) int64. Cast a sum of integers to bigint in SQL to get int64.
        Raises QueryError (also for a parameter missing or not used), TooSlow, Busy.
        """
        return self._answer(sql, params, timeout, fetch_frame)

    def arrow(self, sql: str, timeout: float | None = None, /, **params: Any):
        """As `query` → pyarrow table in DuckDB's exact types."""
        return self._answer(sql, params, timeout, fetch_table)

    def one(self, sql: str, timeout: float | None = None, /, **params: Any) -> tuple | None:
        """As `query` → the first row as Python values (money as Decimal), or None."""
        return self._answer(sql, params, timeout, fetch_row)

    def close(self) -> None:
        self._root.close()
        self._spill.cleanup()

    def _answer(self, sql: str, params: dict, timeout: float | None, fetch: Callable):
        seconds = self.timeout if timeout is None else timeout
        with translate_errors(sql=sql):
            text, names = _parse_single_select(sql)
        if names != params.keys():
            missing, unused = names - params.keys(), params.keys() - names
            raise QueryError("query_parameters", missing=sorted(missing), unused=sorted(unused), sql=text)
        if not _QUERY_SLOTS.acquire(timeout=seconds):
            raise Busy("busy", seconds=seconds)
        try:
            with self._making:
                cursor = self._root.cursor()
            with (
                contextlib.closing(cursor),
                _interrupt_after(cursor, seconds),
                translate_errors(sql=text, seconds=seconds),
            ):
                return fetch(cursor, text, params)
        finally:
            _QUERY_SLOTS.release()


class Warehouse:
    """The read side of one home: serves the edition that CURRENT names and follows it.

    verify  "now": the sha256 of every part is taken before it is served (once per process and file)
            "background": a part whose stamp is as at publishing is served at once and read through in a thread; if it
            is damaged the bank falls back and sets `degraded_reason`. For the app.
            "stamp": such a part is served without reading it through; DuckDB's block checksums stand guard. For one-off
            commands.
    degraded_reason  None, or a sentence saying why the bank does not serve what CURRENT names.
    """

    def __init__(
        self,
        home: Path | str,
        *,
        memory: str | None = None,
        threads: int | None = None,
        spill: Path | None = None,
        timeout: float = TIMEOUT_SECONDS,
        verify: Literal["now", "background", "stamp"] = "now",
    ):
        """Raises UserError when neither CURRENT nor PREVIOUS can be served."""
        self.home, self.degraded_reason = Path(home), None
        self._how = {"memory": memory, "threads": threads, "spill": spill, "timeout": timeout}
        self._verify = verify
        self._swap, self._opening = threading.Lock(), threading.Lock()
        self._seen: tuple | None = None
        self._view: EditionReader | None = None
        self._serve(self._open_best())

    @property
    def edition(self) -> Edition:
        return self._view.edition

    @property
    def tables(self) -> tuple[str, ...]:
        return self._view.tables

    @contextmanager
    def session(self) -> Generator[EditionReader]:
        """Hold one edition for several queries: `with warehouse.session() as reader: …`."""
        with self._swap:
            view = self._view
            if view is None:
                raise UserError("warehouse_closed")
            view.readers += 1
        try:
            yield view
        except QueryError as error:
            if error.is_damage:
                self._distrust(view)
                if self.degraded_reason:
                    raise UserError("ask_again", reason=self.degraded_reason) from error
            raise
        finally:
            with self._swap:
                view.readers -= 1
                last = view is not self._view and view.readers == 0
            if last:
                view.close()

    def query(self, sql: str, timeout: float | None = None, /, **params: Any):
        """`EditionReader.query` in the edition served now."""
        with self.session() as view:
            return view.query(sql, timeout, **params)

    def arrow(self, sql: str, timeout: float | None = None, /, **params: Any):
        """`EditionReader.arrow` in the edition served now."""
        with self.session() as view:
            return view.arrow(sql, timeout, **params)

    def one(self, sql: str, timeout: float | None = None, /, **params: Any) -> tuple | None:
        """`EditionReader.one` in the edition served now."""
        with self.session() as view:
            return view.one(sql, timeout, **params)

    def refresh(self) -> bool:
        """Take up a newly published edition; True when it changed. One stat when nothing changed.

        Any failure keeps the edition that is served and sets `degraded_reason`. Returns at once
        while another thread is opening an edition.
        """
        if _fingerprint_or_none(self.home / CURRENT) == self._seen and self.degraded_reason is None:
            return False
        if not self._opening.acquire(blocking=False):
            return False
        try:
            return self._follow()
        finally:
            self._opening.release()

    def close(self) -> None:
        """End the service; questions that are running end first."""
        self._serve(None)

    def _follow(self) -> bool:
        self._seen = _fingerprint_or_none(self.home / CURRENT)
        try:
            edition = manifest.read(self.home / CURRENT)
            if edition.id == self.edition.id:
                self.degraded_reason = None
                return False
            view = self._open(edition)
        except UserError as error:
            self.degraded_reason = UserError(
                "edition_still_served", reason=error, id=self.edition.id, as_of=self.edition.as_of
            )
            return False
        self._serve(view)
        self.degraded_reason = None
        return True

    def _serve(self, view: EditionReader | None) -> None:
        with self._swap:
            old, self._view = self._view, view
            idle = old is not None and old.readers == 0
        if idle:
            old.close()
        if view and self._verify == "background":
            threading.Thread(target=self._read_through, args=(view,), daemon=True).start()

    def _open(self, edition: Edition, trust: bool = True) -> EditionReader:
        manifest.verify(edition, self.home, trust_stamps=trust and self._verify != "now")
        return EditionReader(edition.paths(self.home), edition, **self._how)

    def _open_best(self, trust: bool = True) -> EditionReader:
        self._seen = _fingerprint_or_none(self.home / CURRENT)
        if not (self.home / CURRENT).exists() and not (self.home / PREVIOUS).exists():
            raise UserError("no_edition", home=self.home)
        reasons = []
        for name in (CURRENT, PREVIOUS):
            try:
                view = self._open(manifest.read(self.home / name), trust)
            except UserError as error:
                reasons.append(error)
                continue
            if reasons:
                self.degraded_reason = UserError(
                    "previous_edition_served", reason=reasons[0], id=view.edition.id, as_of=view.edition.as_of
                )
            return view
        raise UserError("no_edition_served", reasons=reasons)

    def _read_through(self, view: EditionReader) -> None:
        try:
            manifest.verify(view.edition, self.home)
        except UserError:
            self._distrust(view)

    def _distrust(self, view: EditionReader) -> None:
        """Reading failed under this view: look at every byte again and serve the best edition that stands."""
        with self._opening:
            if view is not self._view:
                return
            manifest.DIGESTS.forget()
            try:
                self._serve(self._open_best(trust=False))
            except UserError as error:
                self.degraded_reason = error


@functools.lru_cache(maxsize=1024)
def _parse_single_select(sql: str) -> tuple[str, frozenset[str]]:
    text = bind(sql)
    statements = duckdb.extract_statements(text)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("single_select_only", sql=text)
    return text, frozenset(statements[0].named_parameters)


@contextmanager
def _interrupt_after(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Generator[None]:
    done = threading.Event()

    def watch() -> None:
        # Repeated, because an interrupt that comes before the statement has begun is lost.
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


def _fingerprint_or_none(path: Path) -> tuple | None:
    try:
        return manifest.file_fingerprint(path)
    except OSError:
        return None
