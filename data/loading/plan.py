"""What a load is asked to do, checked before anything is read: delivery, kind, as-of, limits."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from babel.core import get_global

from data.contract.formats import CURRENCY
from data.contract.schema import Contract, read_contract
from data.dates import is_month_end, months_between, next_month_end
from data.editions import store
from data.editions.manifest import Edition
from data.errors import InvalidRequest, UserError
from data.ingest.delivery import Delivery, find_delivery
from data.ingest.source import LIMITS, Source, read_source

Kind = Literal["full", "increment"]


class SameDelivery(UserError):
    """The delivery is loaded already and nothing was done; `edition` is the one that has it."""

    def __init__(self, edition: Edition) -> None:
        super().__init__("same_delivery", edition=edition.id)
        self.edition = edition


@dataclass(frozen=True)
class Overrides:
    """Manual overrides of load checks.

    Parameters
    ----------
    limits
        Shares that replace the declared ones, by name.
    approved_by
        The name of the person who lets everything pass that holds the delivery.
    encoding
        The encoding of CSV files, in place of the source's.
    volume_by
        The name of the person who accepts a change of volume, and nothing else.
    """

    limits: Mapping[str, float] = field(default_factory=dict)
    approved_by: str | None = None
    encoding: str | None = None
    volume_by: str | None = None


@dataclass(frozen=True)
class LoadPlan:
    """One load, checked.

    Parameters
    ----------
    delivery, address
        The files, or the address of a database; the other one is None.
    before
        The edition before; None for the first load.
    base
        The edition that an increment extends; None for a full load.
    request
        The sha256 over the mapping and the options, see `_request`.
    """

    contract: Contract
    source: Source
    home: Path
    delivery: Delivery | None
    address: str | None
    kind: Kind
    as_of: dt.date
    before: Edition | None
    base: Edition | None
    limits: Mapping[str, float]
    overrides: Overrides
    request: str = ""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The delivery's manifest; empty without one."""
        return (self.delivery.manifest if self.delivery else None) or {}

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of the files; None for a database."""
        return self.delivery.fingerprint if self.delivery else None

    @property
    def currency(self) -> str:
        """The ISO code of the currency of all amounts: the manifest's, else the source's."""
        return str(self.manifest.get("currency") or self.source.currency)

    @property
    def delivery_number(self) -> int:
        """The number of this delivery in its chain of parts, from 1."""
        return 1 + (self.base.facts.get("deliveries", 0) if self.base else 0)

    @property
    def last_as_of(self) -> dt.date | None:
        """The last month end of the edition that an increment extends."""
        return self.base.as_of if self.base else None

    def months(self, first_event: dt.date | None) -> list[dt.date]:
        """Return the month ends to build.

        Parameters
        ----------
        first_event
            The earliest date of the history; a full load without a declared first month starts in
            its month.

        Raises
        ------
        UserError
            When the first month is no month end or lies after the as-of date.
        """
        declared = self.manifest.get("from") or self.source.first
        if self.last_as_of:
            first = next_month_end(self.last_as_of)
        elif declared:
            first = parse_date(declared, "from_bad")
        elif first_event:
            first = next_month_end(first_event.replace(day=1) - dt.timedelta(days=1))
        else:
            first = self.as_of
        if not is_month_end(first) or first > self.as_of:
            raise UserError("from_bad", value=first, as_of=self.as_of)
        return months_between(first, self.as_of)


def plan_load(
    delivery: Path | str,
    source_name: str,
    home: Path,
    *,
    as_of: dt.date | None,
    kind: str | None,
    overrides: Overrides,
) -> LoadPlan:
    """Find the delivery and check the request; see `data.loading.pipeline.load`."""
    contract = read_contract()
    source = read_source(source_name, contract)
    if unknown := sorted(set(overrides.limits) - set(LIMITS)):
        raise InvalidRequest("limit_unknown", name=unknown[0], known=", ".join(LIMITS))
    address = str(delivery) if "://" in str(delivery) else None
    files = None if address else find_delivery(Path(delivery), source, contract)
    manifest = (files.manifest if files else None) or {}
    requested_kind = kind or manifest.get("kind") or "full"
    before = store.edition_before(home, requested_kind)
    limits = {**source.limits, **overrides.limits}
    options = [
        str(as_of or manifest.get("as_of") or source.as_of),
        str(manifest.get("from") or source.first),
        requested_kind,
        str(overrides.encoding),
        *(f"{name}={limit}" for name, limit in sorted(limits.items())),
    ]
    request = _request(source, options)
    if before and files:
        _refuse_same_delivery(before, files.fingerprint, request, requested_kind)
    checked_kind = _check_kind(requested_kind, before)
    base = before if checked_kind == "increment" else None
    day = _as_of(as_of or manifest.get("as_of") or source.as_of, before, checked_kind)
    _check_first_month(manifest.get("from"), base)
    plan = LoadPlan(
        contract=contract,
        source=source,
        home=home,
        delivery=files,
        address=address,
        kind=checked_kind,
        as_of=day,
        before=before,
        base=base,
        limits=limits,
        overrides=overrides,
        request=request,
    )
    _check_currency(plan)
    return plan


def _request(source: Source, options: Sequence[str]) -> str:
    """Return the sha256 over the source's declaration and mappings and what the load is told."""
    return hashlib.sha256("\n".join((source.digest, *options)).encode()).hexdigest()


def _refuse_same_delivery(before: Edition, fingerprint: str, request: str, kind: str) -> None:
    """Raise when the files are loaded already and would not give another edition.

    The same files with another mapping or other options are loaded again where they are a full
    load. The months of an increment are published, and only a full load can replace them.

    Raises
    ------
    SameDelivery
        For the same files, mapping and options.
    UserError
        For the files of a published increment with another mapping or other options.
    """
    fingerprints = before.facts.get("fingerprints", ())
    if fingerprint not in fingerprints:
        return
    # Editions of older releases do not state the request.
    requests = before.facts.get("requests", {})
    if requests.get(fingerprint) == request:
        raise SameDelivery(before)
    if kind == "full":
        return
    if fingerprint in requests:
        raise UserError("mapping_changed", edition=before.id)
    raise SameDelivery(before)


def _check_currency(plan: LoadPlan) -> None:
    """Raise UserError for an unknown currency, and for a second one in a chain of deliveries."""
    if plan.currency not in get_global("all_currencies"):
        raise UserError("currency_unknown", value=plan.currency)
    if plan.base is None:
        return
    published = plan.base.facts.get("currency", CURRENCY)
    if plan.currency != published:
        raise UserError("currency_changed", new=plan.currency, old=published)


def _check_kind(kind: str, before: Edition | None) -> Kind:
    if kind == "full":
        return "full"
    if kind != "increment":
        raise UserError("kind_bad", value=kind)
    if not before:
        raise UserError("no_base")
    return "increment"


def _as_of(declared: dt.date | str | None, before: Edition | None, kind: Kind) -> dt.date:
    if declared is None:
        raise UserError("as_of_missing")
    day = parse_date(declared, "as_of_bad")
    if not is_month_end(day):
        raise UserError("as_of_bad", value=day)
    last = before.as_of if before else None
    if last and (day < last or (kind == "increment" and day == last)):
        raise UserError("as_of_backwards", new=day, old=last)
    return day


def _check_first_month(declared: dt.date | str | None, base: Edition | None) -> None:
    """Raise UserError when the declared first month of an increment leaves a gap."""
    if not base or not base.as_of or not declared:
        return
    if parse_date(declared, "from_bad") != next_month_end(base.as_of):
        raise UserError("as_of_gap", new=declared, old=base.as_of)


def parse_date(value: dt.date | str, code: str) -> dt.date:
    """Return a date of a manifest or source; UserError with `code` when it is none."""
    try:
        return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))
    except ValueError:
        raise UserError(code, value=value, as_of="") from None
