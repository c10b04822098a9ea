"""Fit the segments of a month end: features, selection, monthly refits, outcomes, explanations.

The method is selected a year before the month end, on features of that time, and checked against
the outcomes of the year since. The customers whose outcomes took part in the selection are left out
of the validation against the classes. The selected method is then refitted at the later month ends,
each time starting from the centres of the month before, so that segments keep their names. Where
the history is too short for that, only the month end itself is fitted, without outcomes.

Customers without a loan, a deposit or a fee in the twelve months are the same in all features. They
form a segment by rule (code 0) and are excluded from the clustering, where identical rows would
look like a clear and stable segment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from analytics.metrics.edition_metadata import metadata
from analytics.rulebooks.registry import schemes
from analytics.segments import cluster, features, fitted_month, payload, selection, store
from analytics.segments.cluster import Model, centroids
from analytics.segments.definitions import digest
from analytics.segments.feature_space import FULL_SHARE, REDUCED_SHARE, Space, fit_space
from analytics.segments.fitted_month import FittedMonth
from analytics.segments.selection import Candidate
from data.dates import month_end
from data.editions.manifest import Edition
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

MIN_CUSTOMERS = 200
SEED = 7
FIT_SAMPLE = 20_000
"""Customers to whom the selected method is fitted."""
STEPS = ("facts", "compare", "fit", "assign", "explain")


def fit(
    warehouse: Warehouse,
    as_of: date | None = None,
    seed: int = SEED,
    monthly: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Fit the segments of a month end and store them with the edition.

    Parameters
    ----------
    as_of
        The month end; by default the newest one.
    monthly
        Refit every month end of the last year, not only the one before.
    progress
        Called with each month end when its fit begins.

    Returns
    -------
    dict
        The stored fit (see `store.write`).

    Raises
    ------
    UserError
        When the edition does not have the month end, for fewer than 200 active customers, or for
        too few features.
    """
    with warehouse.session() as reader:
        months = metadata(reader).months
        as_of = as_of or months[-1]
        base = features.base_month(months, as_of)
        # One thread: it sums in one order, so that two fits agree to the last digit, and it leaves
        # no spinning threads beside the readers of the app.
        with threadpool_limits(1):
            pipeline = _Pipeline(warehouse, reader, as_of, base, seed, progress)
            return pipeline.run(_path(months, base, as_of, monthly))


def _path(months: tuple[date, ...], base: date | None, as_of: date, monthly: bool) -> list[date]:
    """The month ends to fit, ascending."""
    if base is None:
        return [as_of]
    months_back = range(11, 0, -1) if monthly else (1,)
    between = [month_end(as_of, -back) for back in months_back]
    return [base, *(month for month in between if month in months and month > base), as_of]


@dataclass
class _Trial:
    """KMeans with several counts in one space.

    Attributes
    ----------
    x, outcome_x
        The sampled customers, and those whose outcomes take part in the selection, customers ×
        components.
    """

    space: Space
    x: np.ndarray
    outcome_x: np.ndarray
    candidates: list[Candidate]


@dataclass
class _Selection:
    """The selected candidate among all of them, and its model of the first month."""

    best: Candidate
    candidates: list[Candidate]
    reason: dict[str, Any]
    month: FittedMonth


class _Pipeline:
    def __init__(
        self,
        warehouse: Warehouse,
        reader: EditionReader,
        as_of: date,
        base: date | None,
        seed: int,
        progress: Callable[[str], None],
    ) -> None:
        self.home = warehouse.home
        self.reader = reader
        self.as_of = as_of
        self.base = base
        self.seed = seed
        self.progress = progress
        self.seconds = dict.fromkeys(STEPS, 0.0)
        columns = metadata(reader).columns["customer_month"]
        self.schemes = [scheme for scheme in schemes() if scheme in columns]
        self.notes: list[dict[str, Any]] = []
        if not base:
            months = features.MIN_HISTORY + features.WINDOW
            self.notes.append({"key": "note_short", "months": months})
        self.variance_share = REDUCED_SHARE
        # Positions of the customers whose outcomes take part in the selection.
        self.selection_rows = np.array([], dtype=int)

    @property
    def edition(self) -> Edition:
        if self.reader.edition is None:
            raise ValueError("segments are fitted on published editions only")
        return self.reader.edition

    def run(self, path: list[date]) -> dict[str, Any]:
        """Fit the month ends of the path and store the last one."""
        try:
            first = self._features(path[0])
        except UserError:
            if not self.base:
                raise
            note = {"key": "note_base_few", "base": str(self.base), "fewest": MIN_CUSTOMERS}
            self.notes.append(note)
            self.base = None
            path = [self.as_of]
            first = self._features(self.as_of)
        outcomes = None
        if self.base:
            with self._timed("facts"):
                outcomes = features.align(first, features.outcomes_after(self.reader, self.base))
        month_before = month_end(self.as_of, -1)
        earlier = store.previous_fit(self.home, self.edition, month_before)
        previous = (earlier["method"], earlier["count"]) if earlier else None
        selected = self._select(first, outcomes, previous)
        base = selected.month
        fitted_month.name_first(base, outcomes)
        month = base
        history = [month.record]
        for day in path[1:]:
            month = self._refit(self._features(day), day, selected.best, month)
            history.append(month.record)
            if earlier and day == month_before:
                fitted_month.continue_edition(earlier, base, month, history)
        with self._timed("explain"):
            explanations, members = payload.explanations(month, self.seed)
            explanations |= payload.beside_classes(
                self.reader, base, month, outcomes, self.selection_rows, self.schemes, self.seed
            )
        content = self._head(selected, month) | {"history": history} | explanations
        return store.write(self.home, self.edition.id, content, members)

    def _head(self, selected: _Selection, month: FittedMonth) -> dict[str, Any]:
        """The part of the stored fit that says how it was made."""
        candidates = [asdict(c) | {"use": c.usefulness} for c in selected.candidates]
        return {
            "as_of": str(self.as_of),
            "base": str(self.base) if self.base else None,
            "digest": digest(),
            "seed": self.seed,
            "method": selected.best.method,
            "count": month.model.count,
            "reduced": self.variance_share == REDUCED_SHARE,
            "customers": len(month.frame),
            "idle": int((month.labels < 0).sum()),
            "fitted": len(month.sample),
            "seen": len(self.selection_rows),
            "candidates": candidates,
            "reason": selected.reason,
            "codes": month.codes,
            "names": month.name_of,
            "space": month.space.as_json(),
            "model": month.model.as_json(),
            "notes": self.notes + month.space.notes,
            "seconds": {step: round(seconds, 2) for step, seconds in self.seconds.items()},
        }

    def _features(self, day: date) -> pd.DataFrame:
        self.progress(str(day))
        with self._timed("facts"):
            frame = features.features_at(self.reader, day)
        n = int(features.is_active(frame).sum())
        if n < MIN_CUSTOMERS:
            raise UserError("too_few_customers", day=day, n=n, fewest=MIN_CUSTOMERS)
        return frame

    def _sample(self, frame: pd.DataFrame) -> np.ndarray:
        """Positions of the active customers to whom the model is fitted."""
        active = np.flatnonzero(features.is_active(frame))
        return active[cluster.sample(len(active), FIT_SAMPLE, self.seed)]

    def _select(
        self,
        frame: pd.DataFrame,
        outcomes: pd.DataFrame | None,
        previous: tuple[str, int] | None,
    ) -> _Selection:
        """Compare the candidates, select one and fit it to the sample."""
        rows = self._sample(frame)
        with self._timed("compare"):
            observed = None
            if outcomes is not None:
                # At most half of the active customers: the others validate what was selected.
                half = int(features.is_active(frame).sum()) // 2
                size = min(len(rows), half)
                self.selection_rows = rows[cluster.sample(len(rows), size, self.seed + 5)]
                observed = outcomes.iloc[self.selection_rows].reset_index(drop=True)
            reduced = self._trial(frame, rows, observed, REDUCED_SHARE)
            full = self._trial(frame, rows, observed, FULL_SHARE)
            is_reduced = selection.improves(reduced.candidates, full.candidates)
            self.variance_share = REDUCED_SHARE if is_reduced else FULL_SHARE
            trial, other = (reduced, full) if is_reduced else (full, reduced)
            methods = [method for method in cluster.METHODS if method != "kmeans"]
            candidates = trial.candidates + selection.compare(
                trial.x, trial.outcome_x, observed, self.seed, methods, is_reduced
            )
            best, reason = selection.choose(candidates, previous)
            best.is_chosen = True
        with self._timed("fit"):
            model = self._model(best, trial.x)
        month = self._assign(frame, trial.space, model, rows, self.base or self.as_of)
        return _Selection(best, candidates + other.candidates, reason, month)

    def _trial(
        self,
        frame: pd.DataFrame,
        rows: np.ndarray,
        outcomes: pd.DataFrame | None,
        variance_share: float,
    ) -> _Trial:
        space = fit_space(frame.iloc[rows], variance_share)
        x = space.reduced(frame.iloc[rows])
        outcome_x = space.reduced(frame.iloc[self.selection_rows])
        candidates = selection.compare(
            x, outcome_x, outcomes, self.seed, ("kmeans",), variance_share == REDUCED_SHARE
        )
        return _Trial(space, x, outcome_x, candidates)

    def _model(self, best: Candidate, x: np.ndarray, start: np.ndarray | None = None) -> Model:
        model = cluster.fit(best.method, best.count, x, self.seed, start)
        if model is None:
            raise RuntimeError(f"{best.method} finds fewer than two segments in {len(x)} customers")
        return model

    def _assign(
        self, frame: pd.DataFrame, space: Space, model: Model, rows: np.ndarray, day: date
    ) -> FittedMonth:
        with self._timed("assign"):
            active = features.is_active(frame)
            labels = np.full(len(frame), -1)
            labels[active] = model.assign(space.reduced(frame[active]))
        return FittedMonth(day, frame, space, model, labels, rows)

    def _refit(
        self, frame: pd.DataFrame, day: date, best: Candidate, before: FittedMonth
    ) -> FittedMonth:
        rows = self._sample(frame)
        sampled = frame.iloc[rows]
        with self._timed("fit"):
            space = fit_space(sampled, self.variance_share)
            x = space.reduced(sampled)
            old = before.model.assign(before.space.reduced(sampled))
            start = centroids(x, old, before.model.count)
            model = self._model(best, x, start if len(start) == best.count else None)
        month = self._assign(frame, space, model, rows, day)
        fitted_month.continue_from(before, month, x, old)
        return month

    @contextmanager
    def _timed(self, step: str) -> Generator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] += time.perf_counter() - began
