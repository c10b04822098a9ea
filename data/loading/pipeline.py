"""A delivery → checked, typed tables → marts → one new edition. Nothing is published unless every rule holds."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from data.contract.schema import Contract, read_contract
from data.contract.tables import DIMENSIONS, KEYED_TABLES, create_tables_sql
from data.dates import is_month_end, months_between, next_month_end
from data.editions import store
from data.editions.hash_key import secret_key
from data.editions.manifest import Edition
from data.editions.part_writer import BuildSession
from data.editions.reader import EditionReader
from data.errors import InvalidRequest, UserError
from data.ingest.delivery import Delivery, find_delivery
from data.ingest.source import LIMITS, Source, read_source
from data.loading.dimensions import load_dimensions
from data.loading.events import load_events
from data.loading.reconciliation import LoadCounts, check_totals, check_volume
from data.loading.staging import Staging
from data.loading.surrogate_keys import load_customers, load_loans
from data.loading.validation import RowValidator, StagedTable

CASTING_SQL = Path(__file__).with_name("casting.sql")
HISTORY_TABLES = {"events": ("instalment", "payment"), "snapshots": ("loan_snapshot",)}


class SameDelivery(UserError):
    """The delivery is loaded already; nothing was done. `edition` is the one that holds it."""

    def __init__(self, edition: Edition):
        super().__init__("same_delivery", edition=edition.id)
        self.edition = edition


@dataclass
class Overrides:
    """Manual overrides of load checks.

    `limits` replaces declared shares; `approved_by` names who accepts a change of volume.
    """

    limits: Mapping[str, float] = field(default_factory=dict)
    approved_by: str | None = None
    encoding: str | None = None


def load(
    delivery: Path | str,
    source: str,
    home: Path,
    *,
    build_marts: Callable[[BuildSession, list[dt.date]], None] | None,
    as_of: dt.date | None = None,
    kind: str | None = None,
    overrides: Overrides | None = None,
    progress: Callable[[str, int, float], None] = lambda step, rows, seconds: None,
    now: dt.datetime | None = None,
    memory: str | None = None,
    threads: int | None = None,
) -> Edition:
    """Load a folder, or a database named by a postgresql:// address, and publish it as the new edition of `home`.

    build_marts  called with the build session and the month ends to build, after the kept tables are in place
    as_of, kind  where the manifest and the source do not say; kind is "full" or "increment"
    progress     called with (step, rows, seconds) as each step ends

    Raises SameDelivery (nothing to do), Misused (no such folder, source or limit), UserError (a rule is broken: one
    sentence says which), all before anything is published.
    """
    return _Load(
        delivery, source, Path(home), as_of, kind, overrides or Overrides(), progress, now
    ).publish(build_marts, memory, threads)


class _DryRunFinished(Exception):
    """Every rule held: the way out of publishing."""


def dry_run(delivery: Path | str, source: str, home: Path, **how) -> dict:
    """Do all that `load` does but build marts and publish. Returns the facts; raises as `load`."""
    how.setdefault("overrides", None)
    asked = _Load(
        delivery, source, Path(home), how.get("as_of"), how.get("kind"), how["overrides"] or Overrides(),
        how.get("progress", lambda step, rows, seconds: None), how.get("now"),
    )  # fmt: skip
    judge = asked.check

    def stop(candidate: EditionReader) -> dict:
        judge(candidate)
        raise _DryRunFinished

    asked.check = stop
    try:
        asked.publish(None, None, None)
    except _DryRunFinished:
        return asked.facts
    raise AssertionError("publishing went on")


class _Load:
    def __init__(self, delivery, source, home, as_of, kind, overrides, progress, now):
        self.contract: Contract = read_contract()
        self.source: Source = read_source(source, self.contract)
        self.home, self.overrides, self.progress = home, overrides, progress
        self.now = now or dt.datetime.now(dt.UTC)
        if unknown := sorted(set(overrides.limits) - set(LIMITS)):
            raise InvalidRequest("limit_unknown", name=unknown[0], known=", ".join(LIMITS))
        self.limits = {**self.source.limits, **overrides.limits}
        self.address = str(delivery) if "://" in str(delivery) else None
        self.delivery: Delivery | None = None
        if not self.address:
            self.delivery = find_delivery(Path(delivery), self.source, self.contract)
        self.manifest: Mapping = (self.delivery.manifest if self.delivery else None) or {}
        self.fingerprint = self.delivery.fingerprint if self.delivery else None
        self.kind = kind or self.manifest.get("kind") or "full"
        self.before = store.edition_before(home, self.kind)
        if (
            self.before
            and self.fingerprint
            and self.fingerprint in self.before.facts.get("fingerprints", ())
        ):
            raise SameDelivery(self.before)
        if self.kind not in ("full", "increment"):
            raise UserError("kind_bad", value=self.kind)
        if self.kind == "increment" and not self.before:
            raise UserError("no_base")
        self.as_of = self._as_of(as_of)
        told = self.manifest.get("from")
        if (
            self.kind == "increment"
            and told
            and _date(told, "from_bad") != next_month_end(self.before.as_of)
        ):
            raise UserError("as_of_gap", new=told, old=self.before.as_of)
        self.counts_by_table: dict[str, LoadCounts] = {}
        self.files: dict[str, LoadCounts] = {}

    def _as_of(self, asked: dt.date | None) -> dt.date:
        told = asked or self.manifest.get("as_of") or self.source.as_of
        if told is None:
            raise UserError("as_of_missing")
        day = _date(told, "as_of_bad")
        if not is_month_end(day):
            raise UserError("as_of_bad", value=day)
        last = self.before.as_of if self.before else None
        if last and (day < last or (self.kind == "increment" and day == last)):
            raise UserError("as_of_backwards", new=day, old=last)
        return day

    def publish(self, build_marts, memory, threads) -> Edition:
        folders = (self.home / store.BUILDING, *((self.delivery.folder,) if self.delivery else ()))
        self.secret = secret_key(self.home)
        self.build_marts = build_marts
        return store.publish(
            self.home,
            self.build,
            self.check,
            kind=self.kind,
            source=self.source.name,
            input_bytes=self.delivery.bytes if self.delivery else 0,
            memory=memory,
            threads=threads,
            read_dirs=folders,
            created=self.now,
        )

    def build(self, session: BuildSession) -> dict:
        """Fill the part; the facts that the edition keeps."""
        work = self.home / store.BUILDING / "staged"
        work.mkdir(mode=0o700, exist_ok=True)
        try:
            return self._build(session, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _build(self, session: BuildSession, work: Path) -> dict:
        session.run(CASTING_SQL)
        session.run(create_tables_sql(self.contract), "tables")
        number = 1 + (self.before.facts.get("deliveries", 0) if self.kind == "increment" else 0)
        last = self.before.as_of if self.kind == "increment" else None
        validator = RowValidator(
            session,
            self.contract,
            number,
            self.as_of,
            last,
            self.secret,
            self.source.date_formats,
            self.source.nulls,
            self.counts_by_table,
        )
        staging = Staging(
            validator,
            self.source,
            self.delivery,
            self.address,
            work,
            self.overrides.encoding,
            self.progress,
        )
        delivered = staging.run()
        self.files = staging.files
        history = self._history(delivered)
        self._keep(validator, delivered)
        self._judge(validator, delivered, staging)
        if self.delivery:
            self.delivery.check_unchanged()
        months = self._months(session, history)
        facts = self.facts = self._facts(history, number, months)
        self._record(validator, facts)
        session.views()
        if self.build_marts:
            started = time.monotonic()
            self.build_marts(session, months)
            self.progress("marts", len(months), time.monotonic() - started)
        return facts

    def _history(self, delivered: Mapping[str, StagedTable]) -> str:
        for table in self.contract.tables.values():
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
        if self.kind == "increment" and self.before.facts.get("history", history) != history:
            raise UserError("history_changed", old=self.before.facts["history"], new=history)
        return history

    def _keep(self, validator: RowValidator, delivered: Mapping[str, StagedTable]) -> None:
        started = time.monotonic()
        load_dimensions(validator, delivered)
        self.progress(
            "branch, manager, product",
            sum(delivered[d].rows for d in DIMENSIONS if d in delivered),
            _since(started),
        )
        for staged in delivered.values():
            validator.counts_for(staged)
        for name, number in (("customer", load_customers), ("loan", load_loans)):
            self._keep_each(number, validator, iter([delivered[name]]))
        # The remaining tables reference only these two. Two threads take them from a queue, largest
        # first: much of a small table's time is planning, which uses one core.
        others = [
            staged for name, staged in delivered.items() if name not in (*DIMENSIONS, *KEYED_TABLES)
        ]
        waiting = iter(sorted(others, key=lambda staged: staged.rows, reverse=True))
        with ThreadPoolExecutor(1) as helping, validator.session.worker_session() as worker:
            helped = helping.submit(
                self._keep_each, load_events, replace(validator, session=worker), waiting
            )
            self._keep_each(load_events, validator, waiting)
            helped.result()

    def _keep_each(
        self,
        keep: Callable[[RowValidator, StagedTable], None],
        validator: RowValidator,
        waiting: Iterator[StagedTable],
    ) -> None:
        for staged in waiting:
            started = time.monotonic()
            keep(validator, staged)
            validator.counts_for(staged).seconds = _since(started)
            self.progress(staged.table.name, staged.rows, _since(started))

    def _judge(
        self, validator: RowValidator, delivered: Mapping[str, StagedTable], staging: Staging
    ) -> None:
        for name, staged in delivered.items():
            counts = validator.counts_for(staged)
            skipped = staging.skipped.get(name, {})
            counts.skipped = {**skipped, **counts.skipped}
            counts.read = staged.rows + sum(skipped.values())
            counts.notes += staging.notes.get(name, [])
            self._totals(validator, staged, counts)
            check_totals(name, counts.totals, self._promised(name))
            check_totals(name, counts.totals, staging.trailers.get(name, {}))
        for counts in [
            *self.files.values(),
            *(validator.counts_by_table[name] for name in delivered),
        ]:
            counts.check(self.limits)
        if not self.overrides.approved_by and self.before:
            same = self.before.facts.get("kinds", ["full"])[-1] == self.kind
            compared = {
                n: t
                for n, t in self.counts_by_table.items()
                if self.kind == "full" or n in _VOLUME_CHECKED
            }
            check_volume(
                compared, self.before.facts.get("tables", {}), self.limits["volume"], same_kind=same
            )

    def _promised(self, name: str) -> Mapping[str, str]:
        return self.delivery.promised(name).get("totals", {}) if self.delivery else {}

    @staticmethod
    def _totals(validator: RowValidator, staged: StagedTable, counts: LoadCounts) -> None:
        """Sums of the money columns over all rows delivered, exact."""
        money = [
            c
            for c in staged.table.columns.values()
            if c.type == "money" and c.name in staged.families
        ]
        if not money:
            return
        if counts.loaded == staged.rows:
            sql = f"select {', '.join(f'sum({c.name})' for c in money)} from part.history.{staged.table.name}"
        else:
            from data.loading.casting import casts

            rules = casts(staged.table, staged.families, validator.formats)
            tidy = ", ".join(f"{rules[c.name].tidy} as t_{c.name}" for c in money)
            sums = ", ".join(f"sum({rules[c.name].value})" for c in money)
            sql = f"select {sums} from (select {tidy} from {staged.name})"
        found = validator.one(sql, f"{staged.table.name}: totals")
        counts.totals = {
            c.name: Decimal("0.00") if total is None else total
            for c, total in zip(money, found, strict=True)
        }

    def _months(self, session: BuildSession, history: str) -> list[dt.date]:
        last = self.before.as_of if self.kind == "increment" else None
        told = self.manifest.get("from") or (None if last else self.source.first)
        if last:
            first = next_month_end(last)
        elif told:
            first = _date(told, "from_bad")
        else:
            first = session.one(
                f"select min({_FIRST_DATE[history][1]}) from part.history.{_FIRST_DATE[history][0]}",
                "first month",
            )[0]
            first = (
                next_month_end(first.replace(day=1) - dt.timedelta(days=1)) if first else self.as_of
            )
        if not is_month_end(first) or first > self.as_of:
            raise UserError("from_bad", value=first, as_of=self.as_of)
        return months_between(first, self.as_of)

    def _facts(self, history: str, number: int, months: list[dt.date]) -> dict:
        old = self.before.facts if self.kind == "increment" else {}
        rows = {
            name: counts.loaded
            for name, counts in self.counts_by_table.items()
            if name not in DIMENSIONS
        }
        overrides = {"limits": dict(self.overrides.limits), "volume_by": self.overrides.approved_by}
        return {
            "as_of": self.as_of,
            "months": months,
            "notes": list(self.source.notes),
            "history": history,
            "deliveries": number,
            "kinds": [*old.get("kinds", []), self.kind],
            "fingerprints": [
                *old.get("fingerprints", []),
                *([self.fingerprint] if self.fingerprint else []),
            ],
            "tables": {name: counts.plain() for name, counts in self.counts_by_table.items()},
            "files": {name: counts.plain() for name, counts in self.files.items()},
            "rows": {
                name: count + old.get("rows", {}).get(name, 0)
                for name, count in {**dict.fromkeys(old.get("rows", {}), 0), **rows}.items()
            },
            "overrides": {key: value for key, value in overrides.items() if value},
        }

    def _record(self, validator: RowValidator, facts: dict) -> None:
        manifest = {
            "fingerprint": self.fingerprint,
            "files": self.delivery.sha256 if self.delivery else {},
            **{
                key: facts[key]
                for key in ("history", "files", "notes", "overrides")
                if key != "files"
            },
            "read": facts["files"],
            "months": [str(month) for month in facts["months"]],
        }
        validator.run(
            "insert into part.history.delivery by name select $delivery::smallint as delivery, $source as "
            "source, $kind as kind, "
            "$as_of::date as as_of, $loaded_at::timestamp as loaded_at, $tables::json as tables, "
            "$manifest::json as manifest",
            "delivery",
            source=self.source.name,
            kind=self.kind,
            loaded_at=self.now.astimezone(dt.UTC).replace(tzinfo=None),
            tables=json.dumps(facts["tables"], ensure_ascii=False),
            manifest=json.dumps(manifest, ensure_ascii=False),
        )

    def check(self, candidate: EditionReader) -> dict:
        """Count in the finished part, opened as readers will, what the reconciliation says is there. The older parts
        cannot have changed.
        """
        for name, counts in self.counts_by_table.items():
            if name in DIMENSIONS:
                continue
            found = candidate.one(f"select count(*) from {candidate.newest}.history.{name}")[0]
            if found != counts.loaded:
                raise UserError("rows_differ", file=name, got=found, want=counts.loaded)
        return {}


_FIRST_DATE = {"events": ("instalment", "due_on"), "snapshots": ("loan_snapshot", "as_of")}
_VOLUME_CHECKED = ("instalment", "payment", "loan_snapshot", *KEYED_TABLES[1:])


def _since(started: float) -> float:
    return time.monotonic() - started


def _date(value, code: str) -> dt.date:
    try:
        return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))
    except ValueError:
        raise UserError(code, value=value, as_of="") from None
