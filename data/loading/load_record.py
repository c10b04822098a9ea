"""The facts of an edition about its load, and the row of history.delivery."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from data.contract.tables import DIMENSIONS
from data.loading.plan import LoadPlan
from data.loading.reconciliation import LoadCounts
from data.loading.sql_files import load_sql
from data.loading.validation import RowValidator


def edition_facts(
    plan: LoadPlan,
    history: str,
    months: list[dt.date],
    tables: Mapping[str, LoadCounts],
    files: Mapping[str, LoadCounts],
) -> dict[str, Any]:
    """Return the facts that an edition states about its loads.

    Parameters
    ----------
    history
        events or snapshots.
    tables, files
        Counts of this load by table of the contract and by raw file of a mapped source.
    """
    old = plan.base.facts if plan.base else {}
    fingerprints = [plan.fingerprint] if plan.fingerprint else []
    rows: dict[str, int] = dict(old.get("rows", {}))
    for name, counts in tables.items():
        if name not in DIMENSIONS:
            rows[name] = rows.get(name, 0) + counts.loaded
    overrides = {
        "limits": dict(plan.overrides.limits),
        "approved_by": plan.overrides.approved_by,
        "volume_by": plan.overrides.volume_by,
    }
    return {
        "as_of": plan.as_of,
        "months": months,
        "notes": list(plan.source.notes),
        "currency": plan.currency,
        "history": history,
        "deliveries": plan.delivery_number,
        "kinds": [*old.get("kinds", []), plan.kind],
        "fingerprints": [*old.get("fingerprints", []), *fingerprints],
        "requests": {**old.get("requests", {}), **dict.fromkeys(fingerprints, plan.request)},
        "tables": {name: counts.to_json() for name, counts in tables.items()},
        "files": {name: counts.to_json() for name, counts in files.items()},
        "rows": rows,
        "overrides": {name: value for name, value in overrides.items() if value},
    }


def record_delivery(
    validator: RowValidator, plan: LoadPlan, facts: Mapping[str, Any], now: dt.datetime
) -> None:
    """Insert this load into history.delivery."""
    manifest = {
        "fingerprint": plan.fingerprint,
        "files": plan.delivery.sha256 if plan.delivery else {},
        "history": facts["history"],
        "notes": facts["notes"],
        "currency": facts["currency"],
        "overrides": facts["overrides"],
        "read": facts["files"],
        "months": [str(month) for month in facts["months"]],
    }
    validator.run(
        load_sql("delivery"),
        "delivery",
        source=plan.source.name,
        kind=plan.kind,
        loaded_at=now.astimezone(dt.UTC).replace(tzinfo=None),
        tables=json.dumps(facts["tables"], ensure_ascii=False),
        manifest=json.dumps(manifest, ensure_ascii=False),
    )
