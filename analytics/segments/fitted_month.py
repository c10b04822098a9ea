"""One fitted month end: its segments with codes and names, and how they continue those before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from analytics.i18n.text import LANGUAGES, say
from analytics.segments import cluster, evaluation, tracking
from analytics.segments.cluster import Model
from analytics.segments.definitions import INACTIVE
from analytics.segments.feature_space import Space

INACTIVE_NAME = {lang: say("segments.idle", lang) for lang in LANGUAGES}

Names = dict[str, str]
"""A name by language."""


@dataclass
class FittedMonth:
    """The segments of one month end.

    Attributes
    ----------
    frame
        The features, one row per customer (see `features.features_at`).
    labels
        Position of each customer's segment among the centres of the model, −1 for inactive
        customers.
    sample
        Positions of the customers to whom the model was fitted.
    codes, names
        One code and one name per centre of the model.
    record
        The month's entry in the history of the stored fit.
    """

    as_of: date
    frame: pd.DataFrame
    space: Space
    model: Model
    labels: np.ndarray
    sample: np.ndarray
    codes: list[str] = field(default_factory=list)
    names: list[Names] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def all_codes(self) -> list[str]:
        """The codes, then that of the inactive customers, so that the label −1 selects it."""
        return [*self.codes, INACTIVE]

    @property
    def positions(self) -> np.ndarray:
        """Position of each customer's segment in `all_codes`."""
        return np.where(self.labels < 0, len(self.codes), self.labels)

    @property
    def sizes(self) -> dict[str, int]:
        """Customers by code; the inactive ones only where there are any."""
        counts = np.bincount(self.positions, minlength=len(self.codes) + 1)
        pairs = zip(self.all_codes, counts, strict=True)
        return {code: int(n) for code, n in pairs if code != INACTIVE or n}

    @property
    def name_of(self) -> dict[str, Names]:
        """Name by code, with that of the inactive customers."""
        return dict(zip(self.codes, self.names, strict=True)) | {INACTIVE: INACTIVE_NAME}

    def z_scores(self) -> list[dict[str, float]]:
        """Return per segment the z-score of every numeric feature, over the sample."""
        x = self.space.full(self.frame.iloc[self.sample])
        return tracking.z_scores(self.space, x, self.labels[self.sample], self.model.count)


def name_first(month: FittedMonth, outcomes: pd.DataFrame | None) -> None:
    """Give the segments of the first fitted month their codes 1, 2, … and names.

    In ascending order of the later overdue rate, or by size without outcomes.
    """
    count = month.model.count
    sizes = np.bincount(month.labels[month.labels >= 0], minlength=count)
    order = [int(segment) for segment in np.argsort(-sizes, kind="stable")]
    if outcomes is not None and outcomes["overdue"].notna().any():
        rates = evaluation.rates(month.labels, [str(s) for s in range(count)], outcomes)

        def overdue_rate(segment: int) -> tuple[bool, float]:
            rate = rates.get(str(segment), {}).get("overdue", {}).get("rate")
            return rate is None, rate or 0.0

        order.sort(key=overdue_rate)
    code_of = {segment: str(rank + 1) for rank, segment in enumerate(order)}
    month.codes = [code_of[segment] for segment in range(count)]
    month.names = tracking.segment_names(month.z_scores())
    month.record = {
        "as_of": str(month.as_of),
        "sizes": month.sizes,
        "names": month.name_of,
        "events": [],
    }


def continue_from(before: FittedMonth, month: FittedMonth, x: np.ndarray, old: np.ndarray) -> None:
    """Give the segments of a refit the codes and names of the month before, and write its record.

    Parameters
    ----------
    x
        The sampled customers in the space of this month, customers × components.
    old
        Their segments by the model of the month before.
    """
    new = month.labels[month.sample]
    pairs, events = tracking.match_centroids(
        cluster.centroids(x, old, before.model.count),
        cluster.centroids(x, new, month.model.count),
        old,
        new,
    )
    month.codes, month.names = _inherited(pairs, before.codes, before.names, month)
    month.record = {
        "as_of": str(month.as_of),
        "sizes": month.sizes,
        "names": month.name_of,
        "events": [_with_codes(event, before.codes, month.codes) for event in events],
        **_shift(before, month),
        "same": cluster.agreement(old, new),
    }


def _shift(before: FittedMonth, month: FittedMonth) -> dict[str, Any]:
    """Compare two months: psi, critical, previous; agreement and n of the customers of both."""
    codes = list(dict.fromkeys([*before.sizes, *month.sizes]))
    index = tracking.psi(
        [before.sizes.get(code, 0) for code in codes], [month.sizes.get(code, 0) for code in codes]
    )
    common, rows_before, rows = np.intersect1d(
        before.frame["customer_key"].to_numpy(),
        month.frame["customer_key"].to_numpy(),
        assume_unique=True,
        return_indices=True,
    )
    agreement = cluster.agreement(before.positions[rows_before], month.positions[rows])
    return index | {"previous": str(before.as_of), "agreement": agreement, "n": len(common)}


def continue_edition(
    earlier: Mapping[str, Any],
    base: FittedMonth,
    month: FittedMonth,
    history: Sequence[dict[str, Any]],
) -> None:
    """Take over the codes and names of the edition before.

    Parameters
    ----------
    earlier
        The stored fit of that edition.
    base
        The first fitted month of this edition.
    month
        The month end that both editions have fitted; the segments are matched there.
    history
        Records of the months fitted so far, which get the same codes and names.
    """
    space = Space.from_json(earlier["space"])
    model = Model.from_json(earlier["model"])
    sampled = month.frame.iloc[month.sample]
    x = month.space.reduced(sampled)
    old = model.assign(space.reduced(sampled))
    new = month.labels[month.sample]
    pairs, events = tracking.match_centroids(
        cluster.centroids(x, old, model.count),
        cluster.centroids(x, new, month.model.count),
        old,
        new,
    )
    codes = earlier["codes"]
    names = [earlier["names"][code] for code in codes]
    new_codes, new_names = _inherited(pairs, codes, names, month)
    code_of = dict(zip(month.codes, new_codes, strict=True))
    name_of = dict(zip(new_codes, new_names, strict=True))
    # A segment that has disappeared by this month keeps a code of its own, distinct from those of
    # the edition before.
    free = max(int(code) for code in (*codes, *new_codes)) + 1
    for code in (*base.codes, *month.codes):
        if code not in code_of:
            code_of[code] = str(free)
            free += 1
    _recode(base, code_of, name_of)
    if month is not base:
        _recode(month, code_of, name_of)
    for record in history:
        _recode_record(record, code_of, name_of)
    month.record["events"] += [_with_codes(event, codes, month.codes) for event in events]


def _recode(month: FittedMonth, code_of: Mapping[str, str], name_of: Mapping[str, Names]) -> None:
    month.codes = [code_of[code] for code in month.codes]
    pairs = zip(month.codes, month.names, strict=True)
    month.names = [name_of.get(code, name) for code, name in pairs]


def _recode_record(
    record: dict[str, Any], code_of: Mapping[str, str], name_of: Mapping[str, Names]
) -> None:
    record["sizes"] = {code_of.get(code, code): n for code, n in record["sizes"].items()}
    names = {code_of.get(code, code): name for code, name in record["names"].items()}
    record["names"] = {code: name_of.get(code, name) for code, name in names.items()}
    for event in record["events"]:
        for side in ("old", "new"):
            event[side] = [code_of.get(code, code) for code in event.get(side, [])]


def _inherited(
    pairs: Mapping[int, int],
    codes: Sequence[str],
    names: Sequence[Names],
    month: FittedMonth,
) -> tuple[list[str], list[Names]]:
    """Codes and names of the fit before for segments with a partner, new ones for the others."""
    free = max(int(code) for code in codes) + 1
    new_codes = []
    unmatched = []
    for segment in range(month.model.count):
        if segment in pairs:
            new_codes.append(codes[pairs[segment]])
        else:
            new_codes.append(str(free))
            free += 1
            unmatched.append(segment)
    z_scores = month.z_scores()
    fresh = tracking.segment_names([z_scores[segment] for segment in unmatched], names)
    name_of = dict(zip(unmatched, fresh, strict=True))
    name_of |= {segment: names[partner] for segment, partner in pairs.items()}
    return new_codes, [name_of[segment] for segment in range(month.model.count)]


def _with_codes(event: Mapping[str, Any], old: Sequence[str], new: Sequence[str]) -> dict[str, Any]:
    """Replace the positions of an event by codes."""
    return {
        "key": event["key"],
        "new": [new[position] for position in event.get("new", [])],
        "old": [old[event["old"]]] if "old" in event else [],
    }
