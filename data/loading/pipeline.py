"""A delivery → checked, typed tables → marts → one new edition.

Nothing is published unless every rule holds.
"""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from data.contract.tables import DIMENSIONS, KEYED_TABLES, create_tables_sql
from data.editions import store
from data.editions.connection import DiskFull
from data.editions.hash_key import secret_key
from data.editions.manifest import Edition
from data.editions.part_writer import BuildSession
from data.editions.reader import EditionReader
from data.errors import UserError
from data.ingest.files import Progress
from data.loading.book_check import HeldDelivery, check_books, note_volume
from data.loading.control_totals import check_totals, delivered_totals
from data.loading.events import load_events
from data.loading.keys.customer_versions import extend_first_versions
from data.loading.keys.dimensions import load_dimensions
from data.loading.keys.surrogate_keys import load_customers, load_loans
from data.loading.load_record import edition_facts, record_delivery
from data.loading.plan import LoadPlan, Overrides, plan_load
from data.loading.reconciliation import LoadCounts, check_volume
from data.loading.rejected_report import report_rejected_rows
from data.loading.staging import Staging
from data.loading.validation import RowValidator, StagedTable

CASTING_SQL = Path(__file__).with_name("casting.sql")
HISTORY_TABLES = {"events": ("instalment", "payment"), "snapshots": ("loan_snapshot",)}
# The table and date by which a history begins.
_FIRST_DATE = {"events": ("instalment", "due_on"), "snapshots": ("loan_snapshot", "as_of")}
# Of an increment, only these are compared with the delivery before; others vary by month.
_VOLUME_CHECKED_TABLES = ("instalment", "payment", "loan_snapshot", "loan")

# Builds the marts of some months; returns how often what was noted of a table, by note code.
BuildMarts = Callable[[BuildSession, list[dt.date]], Mapping[str, Mapping[str, int]] | None]


def _no_progress(step: str, rows: int, seconds: float) -> None:
    """Report nothing."""


def load(
    delivery: Path | str,
    source: str,
    home: Path,
    *,
    build_marts: BuildMarts | None,
    as_of: dt.date | None = None,
    kind: str | None = None,
    overrides: Overrides | None = None,
    progress: Progress = _no_progress,
    now: dt.datetime | None = None,
    memory: str | None = None,
    threads: int | None = None,
) -> Edition:
    """Load a delivery and publish it as the new edition of `home`.

    Parameters
    ----------
    delivery
        A folder, or the postgresql:// address of a database.
    build_marts
        Called with the build session and the month ends to build when the history tables are
        complete.
    as_of, kind
        Last month end, and full or increment, when the manifest and the source do not say.
    progress
        Called with step, rows and seconds when a step ends.
    now
        The time of the load, for people.
    memory, threads
        See `data.editions.part_writer.open_build_session`.

    Raises
    ------
    SameDelivery
        When the delivery is loaded already.
    InvalidRequest
        When the folder, the source or a limit does not exist.
    UserError
        When a rule is broken. Nothing is published after any error.
    """
    plan = plan_load(
        delivery, source, Path(home), as_of=as_of, kind=kind, overrides=overrides or Overrides()
    )
    return _Load(plan, build_marts, progress, now).publish(memory=memory, threads=threads)


def dry_run(
    delivery: Path | str,
    source: str,
    home: Path,
    *,
    as_of: dt.date | None = None,
    kind: str | None = None,
    overrides: Overrides | None = None,
    progress: Progress = _no_progress,
) -> Mapping[str, Any]:
    """Do all that `load` does but build marts and publish; return the facts, raise as `load`."""
    plan = plan_load(
        delivery, source, Path(home), as_of=as_of, kind=kind, overrides=overrides or Overrides()
    )
    return _Load(plan, None, progress, None).publish(dry_run=True).facts


class _Load:
    """One load: `build` fills the new part, `check` counts it as readers will see it."""

    def __init__(
        self,
        plan: LoadPlan,
        build_marts: BuildMarts | None,
        progress: Progress,
        now: dt.datetime | None,
    ) -> None:
        self.plan = plan
        self.build_marts = build_marts
        self.progress = progress
        self.now = now or dt.datetime.now(dt.UTC)
        self.rows_by_table: dict[str, int] = {}
        self.dry_run = False

    def publish(
        self, *, memory: str | None = None, threads: int | None = None, dry_run: bool = False
    ) -> Edition:
        """Build, check and publish the edition; see `data.editions.store.publish`."""
        plan = self.plan
        self.dry_run = dry_run
        read_dirs = [plan.home / store.BUILDING]
        if plan.delivery:
            read_dirs.append(plan.delivery.folder)
        return store.publish(
            plan.home,
            self.build,
            self.check,
            kind=plan.kind,
            source=plan.source.name,
            input_bytes=plan.delivery.bytes if plan.delivery else 0,
            memory=memory,
            threads=threads,
            read_dirs=tuple(read_dirs),
            created=self.now,
            dry_run=dry_run,
        )

    def build(self, session: BuildSession) -> dict[str, Any]:
        """Fill the part; return the facts of the edition."""
        work = self.plan.home / store.BUILDING / "staged"
        work.mkdir(mode=0o700, exist_ok=True)
        try:
            return self._build(session, work)
        except UserError as error:
            if not isinstance(error, DiskFull):
                error.rejected = report_rejected_rows(session, self.plan.home, self.now, error)
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _build(self, session: BuildSession, work: Path) -> dict[str, Any]:
        plan = self.plan
        session.run(CASTING_SQL)
        session.run(create_tables_sql(plan.contract), "tables")
        validator = RowValidator(
            session,
            plan.contract,
            delivery=plan.delivery_number,
            as_of=plan.as_of,
            last_as_of=plan.last_as_of,
            secret=secret_key(plan.home),
            formats=plan.source.date_formats,
            nulls=plan.source.nulls,
        )
        staging = Staging(validator, plan, work, self.progress)
        delivered = staging.run()
        history = _history(plan, delivered)
        self._load_tables(validator, delivered)
        _reconcile(plan, validator, delivered, staging)
        if plan.delivery:
            plan.delivery.check_unchanged()
        table, date = _FIRST_DATE[history]
        first_event = validator.one(f"select min({date}) from part.history.{table}", "first month")
        months = plan.months(first_event[0])
        self._hold(validator, delivered, months[0])
        counts = validator.counts_by_table
        self.rows_by_table = {
            name: table_counts.loaded
            for name, table_counts in counts.items()
            if name not in DIMENSIONS
        }
        session.views()
        if self.build_marts:
            started = time.monotonic()
            notes = self.build_marts(session, months) or {}
            for name, count_by_code in notes.items():
                for code, count in count_by_code.items():
                    counts[name].note(code, count)
            self.progress("marts", len(months), time.monotonic() - started)
        facts = edition_facts(plan, history, months, counts, staging.files)
        record_delivery(validator, plan, facts, self.now)
        if self.dry_run:
            rejected = report_rejected_rows(session, plan.home, self.now)
            facts["rejected"] = rejected.to_json() if rejected else None
        return facts

    def _hold(
        self, validator: RowValidator, delivered: Mapping[str, StagedTable], first: dt.date
    ) -> None:
        """Check the books and the volume; raise HeldDelivery unless a named person lets it pass."""
        started = time.monotonic()
        overrides = self.plan.overrides
        volume_by = overrides.volume_by or overrides.approved_by
        tables = validator.counts_by_table
        holds = check_books(validator, delivered, first, overrides.approved_by)
        hold_count = len(holds)
        if overrides.approved_by:
            holds = []
        if change := _volume_change(self.plan, tables):
            hold_count += 1
            note_volume(tables, change, volume_by)
            if not volume_by:
                holds.append(change)
        self.progress("book check", hold_count, time.monotonic() - started)
        if holds:
            raise HeldDelivery(holds, tables)

    def _load_tables(self, validator: RowValidator, delivered: Mapping[str, StagedTable]) -> None:
        started = time.monotonic()
        load_dimensions(validator, delivered)
        rows = sum(delivered[name].rows for name in DIMENSIONS if name in delivered)
        self.progress("branch, manager, product", rows, time.monotonic() - started)
        for staged in delivered.values():
            validator.counts_for(staged)
        self._load_each(load_customers, validator, [delivered["customer"]])
        self._load_each(load_loans, validator, [delivered["loan"]])
        remaining = [
            staged for name, staged in delivered.items() if name not in (*DIMENSIONS, *KEYED_TABLES)
        ]
        self._load_each(load_events, validator, remaining)
        extend_first_versions(validator, delivered["customer"])

    def _load_each(
        self,
        load_table: Callable[[RowValidator, StagedTable], None],
        validator: RowValidator,
        tables: Iterable[StagedTable],
    ) -> None:
        for staged in tables:
            started = time.monotonic()
            load_table(validator, staged)
            seconds = time.monotonic() - started
            validator.counts_for(staged).seconds = seconds
            self.progress(staged.table.name, staged.rows, seconds)

    def check(self, candidate: EditionReader) -> None:
        """Raise UserError unless the new part holds the loaded rows; older parts cannot change."""
        for name, loaded in self.rows_by_table.items():
            row = candidate.one(f"select count(*) from {candidate.newest}.history.{name}")
            rows = row[0] if row else 0
            if rows != loaded:
                raise UserError("rows_differ", file=name, got=rows, want=loaded)


def _history(plan: LoadPlan, delivered: Mapping[str, StagedTable]) -> str:
    """Return the kind of history delivered, events or snapshots; refuse an incomplete delivery."""
    for table in plan.contract.tables.values():
        if table.required and table.name not in delivered:
            raise UserError("no_table", table=table.name)
    events = [name in delivered for name in HISTORY_TABLES["events"]]
    if "loan_snapshot" in delivered:
        if any(events):
            raise UserError("two_histories")
        history = "snapshots"
    elif all(events):
        history = "events"
    else:
        raise UserError("no_history")
    if plan.base and plan.base.facts.get("history", history) != history:
        raise UserError("history_changed", old=plan.base.facts["history"], new=history)
    return history


def _reconcile(
    plan: LoadPlan,
    validator: RowValidator,
    delivered: Mapping[str, StagedTable],
    staging: Staging,
) -> None:
    """Complete the counts of every table and check them: sums, totals, shares, volume."""
    for name, staged in delivered.items():
        counts = validator.counts_for(staged)
        skipped = staging.skipped.get(name, {})
        counts.skipped = {**skipped, **counts.skipped}
        counts.read = staged.rows + sum(skipped.values())
        counts.notes += staging.notes.get(name, [])
        counts.totals = delivered_totals(validator, staged, counts)
        declared = plan.delivery.declared(name).get("totals", {}) if plan.delivery else {}
        check_totals(name, counts.totals, declared)
        check_totals(name, counts.totals, staging.trailers.get(name, {}))
    for counts in staging.files.values():
        counts.check(plan.limits)
    for name in delivered:
        validator.counts_by_table[name].check(plan.limits)


def _volume_change(plan: LoadPlan, tables: Mapping[str, LoadCounts]) -> UserError | None:
    """Return the change of volume since the edition before that holds the load, if any."""
    if not plan.before:
        return None
    facts = plan.before.facts
    compared = {
        name: counts
        for name, counts in tables.items()
        if plan.kind == "full" or name in _VOLUME_CHECKED_TABLES
    }
    same_kind = facts.get("kinds", ["full"])[-1] == plan.kind
    try:
        check_volume(compared, facts.get("tables", {}), plan.limits["volume"], same_kind=same_kind)
    except UserError as error:
        return error
    return None
