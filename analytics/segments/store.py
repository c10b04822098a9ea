"""Fits on disk, beside the editions: HOME/segments/<edition id>/<month end>.json and the table of
members it names.

Editions are immutable and named by their content, so a fit is kept beside its edition, never in it:
a fit made again, or never, leaves every published number and its id as they are. JSON and Parquet,
no pickles: nothing in them is run when read. The JSON file is written last, by one rename, and
carries the sha256 of the table: readers see a whole fit or none.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analytics.segments.definitions import digest
from data.editions.store import history
from data.errors import UserError

FOLDER = "segments"
FORMAT = 2


def write(home: Path, edition: str, told: dict, members: pd.DataFrame) -> dict:
    """Keep one fit; fits of editions that are no longer kept are removed. Returns what stands in
    the JSON file.
    """
    folder = Path(home) / FOLDER / edition
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(members, preserve_index=False), buffer)
    content = buffer.getvalue()
    sha = hashlib.sha256(content).hexdigest()
    table = f"{told['as_of']}-{sha[:16]}.parquet"
    told = {"format": FORMAT, "edition": edition, "table": table, "sha256": sha} | _plain(told)
    _replace(folder / table, content)
    _replace(
        folder / f"{told['as_of']}.json",
        json.dumps(told, ensure_ascii=False, allow_nan=False).encode(),
    )
    for left in folder.glob(f"{told['as_of']}-*.parquet"):
        if left.name != table:
            left.unlink()
    _sweep(Path(home), edition)
    return told


def read(home: Path, edition: str, as_of: date | None = None) -> dict:
    """The kept fit of a month end, the newest fitted one unless told otherwise.

    Raises UserError when there is none, or it is not whole.
    """
    folder = Path(home) / FOLDER / edition
    fitted = months(home, edition)
    if not fitted:
        raise UserError("nothing_fitted")
    if as_of and as_of not in fitted:
        listed = ", ".join(str(day) for day in fitted)
        raise UserError("month_not_fitted", as_of=as_of, listed=listed)
    path = folder / f"{as_of or fitted[-1]}.json"
    with contextlib.suppress(ValueError, OSError):
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.get("format") == FORMAT:
            return told
    raise UserError("fit_unreadable", name=path.name)


def members(home: Path, told: dict) -> pd.DataFrame:
    """customer_key, segment, fact_1 … value_3 of a fit, by customer_key.

    Raises UserError when the table is missing or is not the one that was written.
    """
    path = Path(home) / FOLDER / told["edition"] / told["table"]
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == told["sha256"]:
            return pq.read_table(io.BytesIO(content)).to_pandas()
    raise UserError("fit_table_damaged", name=path.name)


def months(home: Path, edition: str) -> list[date]:
    """The month ends fitted for an edition, ascending."""
    found = []
    for path in (Path(home) / FOLDER / edition).glob("*.json"):
        with contextlib.suppress(ValueError):
            found.append(date.fromisoformat(path.stem))
    return sorted(found)


def previous_fit(home: Path, edition, as_of: date) -> dict | None:
    """The fit that another edition of the home has for a month end, made from the same facts; None
    where there is none.

    It counts only when the two share their first part: another full load is another bank to be
    named anew.
    """
    for known in reversed(history(home)):
        if known.id != edition.id and known.parts[:1] == edition.parts[:1]:
            with contextlib.suppress(UserError):
                told = read(home, known.id, as_of)
                if told["digest"] == digest():
                    return told
    return None


def model_json(model) -> dict:
    return {
        name: None if getattr(model, name) is None else getattr(model, name).tolist()
        for name in ("centres", "roots", "offsets")
    }


def model_of(told: dict):
    """The model that `model_json` wrote."""
    from analytics.segments.cluster import Model

    return Model(
        **{name: None if value is None else np.array(value) for name, value in told.items()}
    )


def _plain(value: Any) -> Any:
    """numpy and infinities → what JSON can say."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _replace(path: Path, content: bytes) -> None:
    made = path.with_name(path.name + ".tmp")
    with made.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(made, path)


def _sweep(home: Path, edition: str) -> None:
    kept = {known.id for known in history(home)} | {edition}
    for folder in (home / FOLDER).iterdir():
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)
