"""The only home of duckdb: a session to build a part in, and the warehouse to read editions from.

Every connection is an in-memory root to which the parts are attached; the parts' own names never change, so no process
can be given the old content under a known name. A reading root holds one view per table under the table's bare name
(`loan_month`): for schema `kept` the union of all parts, for schema `head` the newest part's table. After the views are
made, external access is switched off and the configuration locked; only single SELECT statements are let through.

Frames: sums of decimal or bigint columns are decimal(38,·) or hugeint in DuckDB and arrive in pandas as float64. Below
2**46 yuan (70 million million) neighbouring doubles are less than a fen apart: rounding to two decimals gives the exact
fen. `arrow` and `one` hand out the exact types.

An enum compared with a text, literal or parameter, is compared as text: 'low' < 'high' is false whatever the enum says.
Where order counts write `level >= cast('high' as enum('low', 'high', 'other'))`. Equality and `in` are not affected.
"""

from __future__ import annotations

import contextlib
import functools
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import duckdb

from data.editions import manifest
from data.editions.manifest import CURRENT, PREVIOUS, Edition
from data.editions.memory import retain_freed_memory
from data.errors import UserError

SCHEMAS = ("kept", "head")
# (table_name, number, column_name, expression): columns of a part's tables that follow from their others. They are not
# written but stand in the views, after the table's own, each in terms of those before it.
DERIVED = ("head", "derived")
_UNITED = " union all by name "
VERSION = f"duckdb {duckdb.__version__}"
TIMEOUT = 15.0
# A load keeps in memory what it has written, as far as it may, and is slower for it: at a million customers 200 s with
# 14 GB and 185 s with 5. A delivery of more than 600 MB gets more: what does not fit goes to the disk.
ENOUGH, ENOUGH_PER_BYTE = 5_000_000_000, 8
_HARD = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
}
_RUNNING = threading.BoundedSemaphore(2)
_TOKEN = re.compile(
    r"""(?P<skip>[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
      | --[^\n]* | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ | ::)
      | (?P<comment>/\*) | (?<![\w)\]'":]):(?P<name>[A-Za-z_]\w*)""",
    re.X | re.S,
)


class QueryError(UserError):
    """DuckDB refused a statement. `label` says where it stands, `sql` is its text with `$name` parameters."""

    def __init__(self, code: str, /, label: str = "", sql: str = "", **facts: Any):
        super().__init__(code, **facts)
        self.label = label
        self.sql = sql

    def __str__(self) -> str:
        return f"{self.label}: {super().__str__()}" if self.label else super().__str__()

    def text(self, language: str) -> str:
        """Return the sentence in one language, after the place of the statement."""
        return f"{self.label}: {super().text(language)}" if self.label else super().text(language)

    @property
    def is_damage(self) -> bool:
        """Whether a file under the connection may be damaged, or the connection itself is beyond use."""
        cause = self.__cause__
        kinds = duckdb.IOException | duckdb.FatalException | duckdb.InternalException | duckdb.SerializationException
        # A block whose check sum does not fit comes as the bare base class.
        return (isinstance(cause, kinds) or type(cause) is duckdb.Error) and "No space left" not in str(cause)


class DiskFull(QueryError):
    """The volume that holds the part or the spill is full."""


class TooSlow(QueryError):
    """The question ran longer than its time and was stopped."""


class Busy(UserError):
    """Two questions are running and none ended within the time."""


def bind(sql: str) -> str:
    """Turn `:name` into DuckDB's `$name`, except within strings, quoted names, comments, slices and `::` casts."""
    out, at = [], 0
    while found := _TOKEN.search(sql, at):
        out.append(sql[at : found.start()])
        end = found.end()
        if found["name"]:
            out.append("$" + found["name"])
        elif found["comment"]:
            end = _comment_end(sql, end)
            out.append(sql[found.start() : end])
        else:
            out.append(found["skip"])
        at = end
    return "".join(out) + sql[at:]


def _comment_end(sql: str, at: int) -> int:
    depth = 1
    for edge in re.compile(r"/\*|\*/").finditer(sql, at):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return len(sql)


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
    def worker_session(self) -> Iterator[BuildSession]:
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
        self._last(sql, label, params, _execute)

    def frame(self, sql: str | Path, label: str = "", /, **params: Any):
        """As `run`; the last statement's rows as a pandas frame (types: see the module)."""
        return self._last(sql, label, params, _frame)

    def table(self, sql: str | Path, label: str = "", /, **params: Any):
        """As `run`; the last statement's rows as a pyarrow table, in DuckDB's exact types."""
        return self._last(sql, label, params, _table)

    def one(self, sql: str | Path, label: str = "", /, **params: Any) -> tuple | None:
        """As `run`; the last statement's first row, or None."""
        return self._last(sql, label, params, _first_row)

    def arrow(self, data: Any, name: str) -> None:
        """Make a pyarrow table, a record batch reader (readable once) or a pandas frame readable under `name`."""
        self._root.register(name, data)

    def forget(self, name: str) -> None:
        """Undo `arrow`."""
        self._root.unregister(name)

    def views(self) -> list[str]:
        """(Re)make one view per table under its bare name, over the older parts and the new one; their names."""
        return _make_views(self._root, [*self.older, "part"])

    def close(self) -> None:
        """Write everything into the file and let go of it.

        Raises QueryError when the disk refuses, UserError when a write-ahead log is left.
        """
        with _readable("closing the new part"):
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
        with _readable(label, sql):
            statements = duckdb.extract_statements(bind(sql))
        given = None
        for number, statement in enumerate(statements, 1):
            where = f"{label}, statement {number}" if len(statements) > 1 else label
            with _readable(where, statement.query):
                wanted = {name: params[name] for name in statement.named_parameters if name in params}
                act = fetch if number == len(statements) else _execute
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
    root = _root(memory, threads, spill or part.parent / f"{part.name}.spill")
    try:
        with _readable(f"opening {part.name}"):
            if memory is None and input_bytes:
                _lower(root, max(ENOUGH, ENOUGH_PER_BYTE * input_bytes))
            _keep_blocks(root)
            names = _attach(root, list(older))
            root.execute(f"attach {_text(part)} as part")
            for schema in SCHEMAS:
                root.execute(f"create schema part.{schema}")
            root.execute(f"set preserve_insertion_order={str(keep_order).lower()}")
            # A part is written once and checkpointed at the end; a checkpoint after every statement slows a build.
            root.execute("set checkpoint_threshold='1TB'")
            # Lists of codes are short: a plan that joins them takes longer to make than they take to be looked through.
            root.execute("set disabled_optimizers='in_clause'")
            # Money comes to Arrow in the 64 bits in which it is kept.
            root.execute("set arrow_output_version='1.5'")
            folders = ", ".join(_text(f"{Path(folder).resolve()}/") for folder in read_dirs)
            root.execute(f"set allowed_directories=[{folders}]")
            _lock(root)
    except BaseException:
        root.close()
        raise
    return BuildSession(root, part, names)


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
        timeout: float = TIMEOUT,
    ):
        """Raises UserError when a file is missing, damaged, no DuckDB file, or written by a newer DuckDB."""
        self.edition, self.timeout, self.readers = edition, timeout, 0
        # A folder of its own: two roots in one spill folder would write over each other's files.
        self._spill = tempfile.TemporaryDirectory(prefix="bank-", dir=spill, ignore_cleanup_errors=True)
        self._root = _root(memory, threads, Path(self._spill.name) / "spill")
        self._making = threading.Lock()
        try:
            with _readable("opening the parts", edition=edition):
                names = _attach(self._root, list(parts))
                self.newest = names[-1]
                self.tables = tuple(_make_views(self._root, names))
                _lock(self._root)
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
        return self._answer(sql, params, timeout, _frame)

    def arrow(self, sql: str, timeout: float | None = None, /, **params: Any):
        """As `query` → pyarrow table in DuckDB's exact types."""
        return self._answer(sql, params, timeout, _table)

    def one(self, sql: str, timeout: float | None = None, /, **params: Any) -> tuple | None:
        """As `query` → the first row as Python values (money as Decimal), or None."""
        return self._answer(sql, params, timeout, _first_row)

    def close(self) -> None:
        self._root.close()
        self._spill.cleanup()

    def _answer(self, sql: str, params: dict, timeout: float | None, fetch: Callable):
        seconds = self.timeout if timeout is None else timeout
        with _readable(sql=sql):
            text, names = _single_select(sql)
        if names != params.keys():
            missing, unused = names - params.keys(), params.keys() - names
            raise QueryError("query_parameters", missing=sorted(missing), unused=sorted(unused), sql=text)
        if not _RUNNING.acquire(timeout=seconds):
            raise Busy("busy", seconds=seconds)
        try:
            with self._making:
                cursor = self._root.cursor()
            with contextlib.closing(cursor), _stopped_after(cursor, seconds), _readable(sql=text, seconds=seconds):
                return fetch(cursor, text, params)
        finally:
            _RUNNING.release()


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
        timeout: float = TIMEOUT,
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
    def session(self) -> Iterator[EditionReader]:
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
        if _sight(self.home / CURRENT) == self._seen and self.degraded_reason is None:
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
        self._seen = _sight(self.home / CURRENT)
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
        self._seen = _sight(self.home / CURRENT)
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


def _root(memory: str | None, threads: int | None, spill: Path) -> duckdb.DuckDBPyConnection:
    settings = {"memory_limit": memory or "60%", "temp_directory": str(spill)}
    if threads:
        settings["threads"] = str(threads)
    root = duckdb.connect(":memory:", config=_HARD | settings)
    root.execute("set enable_progress_bar=false")
    root.execute("set global timezone='Asia/Shanghai'")
    return root


def _lower(root: duckdb.DuckDBPyConnection, limit: int) -> None:
    """Lower the limit of memory to so many bytes; it is never raised."""
    if limit < _limit(root):
        root.execute(f"set memory_limit='{limit // 1_000_000}MB'")


def _keep_blocks(root: duckdb.DuckDBPyConnection) -> None:
    """Blocks that DuckDB lets go of stay its own up to the limit, and so does what NumPy lets go of: a system that
    takes pages back and hands them out again, blank, took a fifth of a load's processor time (decision 28).
    """
    root.execute(f"set block_allocator_memory='{_limit(root) // 1_000_000}MB'")
    retain_freed_memory()


def _limit(root: duckdb.DuckDBPyConnection) -> int:
    """DuckDB's limit of memory, in bytes."""
    return root.execute("select parse_formatted_bytes(current_setting('memory_limit'))").fetchone()[0]


def _attach(root: duckdb.DuckDBPyConnection, parts: list[Path]) -> list[str]:
    for index, part in enumerate(parts):
        root.execute(f"attach {_text(part)} as p{index} (read_only)")
    return [f"p{index}" for index in range(len(parts))]


def _lock(root: duckdb.DuckDBPyConnection) -> None:
    root.execute("set enable_external_access=false")
    root.execute("set lock_configuration=true")


def _make_views(root: duckdb.DuckDBPyConnection, catalogs: list[str]) -> list[str]:
    found = root.execute(
        "select database_name, schema_name, table_name from duckdb_tables() where schema_name in ('kept', 'head')"
    ).fetchall()
    places: dict[str, dict[str, str]] = {}
    derived: dict[tuple[str, str], str] = {}
    for catalog, schema, table in found:
        if catalog in catalogs:
            places.setdefault(table, {})[catalog] = schema
            if (schema, table) == DERIVED:
                columns = f"select table_name, column_name, expression from {catalog}.head.derived order by number"
                for name, column, sql in root.execute(columns).fetchall():
                    derived[catalog, name] = derived.get((catalog, name), "") + f', {sql} as "{column}"'
    for table, homes in sorted(places.items()):
        if len(set(homes.values())) > 1:
            raise UserError("table_in_two_schemas", table=table)
        held = [catalog for catalog in catalogs if catalog in homes]
        # Parts with the same derived columns are united first: each question binds what the view says, used or not.
        alike: dict[str, list[str]] = {}
        for catalog in held if "kept" in homes.values() else held[-1:]:
            united = alike.setdefault(derived.get((catalog, table), ""), [])
            united.append(f'select * from {catalog}.{homes[catalog]}."{table}"')
        body = _UNITED.join(f"select *{sql} from ({_UNITED.join(united)})" for sql, united in alike.items())
        root.execute(f'create or replace view memory.main."{table}" as {body}')
    return sorted(places)


def _execute(connection: duckdb.DuckDBPyConnection, sql: Any, params: dict) -> None:
    connection.execute(sql, params)


def _frame(connection: duckdb.DuckDBPyConnection, sql: Any, params: dict):
    return connection.execute(sql, params).df()


def _table(connection: duckdb.DuckDBPyConnection, sql: Any, params: dict):
    return connection.sql(sql, params=params).to_arrow_table()


def _first_row(connection: duckdb.DuckDBPyConnection, sql: Any, params: dict) -> tuple | None:
    row = connection.execute(sql, params).fetchone()
    # A result that is left half-read would keep its transaction open.
    connection.complete()
    return row


@functools.lru_cache(maxsize=1024)
def _single_select(sql: str) -> tuple[str, frozenset[str]]:
    text = bind(sql)
    statements = duckdb.extract_statements(text)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("single_select_only", sql=text)
    return text, frozenset(statements[0].named_parameters)


@contextmanager
def _stopped_after(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
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


@contextmanager
def _readable(
    label: str = "", sql: str = "", *, seconds: float | None = None, edition: Edition | None = None
) -> Iterator[None]:
    """Turn DuckDB's errors into sentences."""
    try:
        yield
    except duckdb.InterruptException as error:
        if seconds is None:
            raise KeyboardInterrupt from error
        raise TooSlow("too_slow", seconds=seconds, label=label, sql=sql) from error
    except duckdb.OutOfMemoryException as error:
        raise QueryError("out_of_memory", error=_first(error), label=label, sql=sql) from error
    except duckdb.Error as error:
        text = str(error)
        if "version number" in text:
            facts = {"version": VERSION, "error": _first(error), "label": label, "sql": sql}
            if edition and edition.engine:
                raise QueryError("newer_engine", engine=edition.engine, **facts) from error
            raise QueryError("newer_engine_unknown", **facts) from error
        if "No space left" in text:
            raise DiskFull("disk_full", error=_first(error), label=label, sql=sql) from error
        message = _first(error) if edition else text.split("Stack Trace:")[0].strip()
        raise QueryError("query_failed", message=message, label=label, sql=sql) from error


def _first(error: Exception) -> str:
    return str(error).split("\n", 1)[0].strip()


def _sight(path: Path) -> tuple | None:
    try:
        return manifest.file_fingerprint(path)
    except OSError:
        return None


def _text(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
