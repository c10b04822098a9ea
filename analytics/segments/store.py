"""Store fits beside the editions: HOME/segments/<edition id>/<month end>.json and a Parquet table.

Editions are immutable and identified by their content, so a fit is stored beside its edition, never
in it: fitting again, or never, leaves every published number and the id of the edition unchanged.
The files are JSON and Parquet, no pickles: reading them executes nothing. The JSON file is written
last, by one rename, and holds the SHA-256 of the table, so that readers see a complete fit or none.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analytics.segments.definitions import digest
from data.editions.manifest import Edition
from data.editions.store import history
from data.errors import UserError

FOLDER = "segments"
FORMAT = 2


def write(
    home: Path, edition: str, payload: Mapping[str, Any], members: pd.DataFrame
) -> dict[str, Any]:
    """Store one fit and delete the fits of editions that no longer exist.

    Parameters
    ----------
    edition
        Id of the edition.
    payload
        The fit without the table of members.
    members
        One row per customer (see `members`).

    Returns
    -------
    dict
        The content of the JSON file.
    """
    folder = Path(home) / FOLDER / edition
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(members, preserve_index=False), buffer)
    content = buffer.getvalue()
    sha = hashlib.sha256(content).hexdigest()
    as_of = payload["as_of"]
    table = f"{as_of}-{sha[:16]}.parquet"
    head = {"format": FORMAT, "edition": edition, "table": table, "sha256": sha}
    stored = head | _json_value(payload)
    _replace(folder / table, content)
    text = json.dumps(stored, ensure_ascii=False, allow_nan=False)
    _replace(folder / f"{as_of}.json", text.encode())
    for path in folder.glob(f"{as_of}-*.parquet"):
        if path.name != table:
            path.unlink()
    _delete_orphans(Path(home), edition)
    return stored


def read(home: Path, edition: str, as_of: date | None = None) -> dict[str, Any]:
    """Return the stored fit of a month end, by default the newest one.

    Raises
    ------
    UserError
        When there is none, or when its file is unreadable.
    """
    folder = Path(home) / FOLDER / edition
    fitted = months(home, edition)
    if not fitted:
        raise UserError("nothing_fitted")
    if as_of and as_of not in fitted:
        days = ", ".join(str(day) for day in fitted)
        raise UserError("month_not_fitted", as_of=as_of, listed=days)
    path = folder / f"{as_of or fitted[-1]}.json"
    with contextlib.suppress(ValueError, OSError):
        payload = json.loads(path.read_text(encoding="utf-8"))
        if payload.get("format") == FORMAT:
            return payload
    raise UserError("fit_unreadable", name=path.name)


def members(home: Path, payload: Mapping[str, Any]) -> pd.DataFrame:
    """Return the table of members of a fit.

    Returns
    -------
    DataFrame
        customer_key, segment (code), fact_1 … fact_3 (position of a driver among the axes of the
        space, −1 for none) and value_1 … value_3 (the customer's own value; of a category the
        position among the codes of the axis), by customer_key.

    Raises
    ------
    UserError
        When the table is missing or its SHA-256 differs from the one in the payload.
    """
    path = Path(home) / FOLDER / payload["edition"] / payload["table"]
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == payload["sha256"]:
            return pq.read_table(io.BytesIO(content)).to_pandas()
    raise UserError("fit_table_damaged", name=path.name)


def months(home: Path, edition: str) -> list[date]:
    """Return the month ends that are fitted for an edition, ascending."""
    days = []
    for path in (Path(home) / FOLDER / edition).glob("*.json"):
        with contextlib.suppress(ValueError):
            days.append(date.fromisoformat(path.stem))
    return sorted(days)


def previous_fit(home: Path, edition: Edition, as_of: date) -> dict[str, Any] | None:
    """Return the fit of a month end by the newest other edition, None where there is none.

    It counts only when it was made from the same declaration of features and when both editions
    share their first part: another full load is a different data set, whose segments are named
    afresh.
    """
    for other in reversed(history(home)):
        if other.id == edition.id or other.parts[:1] != edition.parts[:1]:
            continue
        with contextlib.suppress(UserError):
            payload = read(home, other.id, as_of)
            if payload["digest"] == digest():
                return payload
    return None


def _json_value(value: Any) -> Any:
    """Convert numpy scalars to Python's own, and numbers that are not finite to None."""
    if isinstance(value, Mapping):
        return {str(key): _json_value(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_value(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _delete_orphans(home: Path, edition: str) -> None:
    existing = {entry.id for entry in history(home)} | {edition}
    for folder in (home / FOLDER).iterdir():
        if folder.is_dir() and folder.name not in existing:
            shutil.rmtree(folder, ignore_errors=True)
