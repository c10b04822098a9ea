"""The pipeline of a fit: facts, candidates, choice, monthly refits, outcomes, explanations.

The choice is made a year before the edition's month end, on facts known by then and checked against
the year after; the customers whose outcomes took part in it are left out when segments are
validated against classes. From there the chosen method is fitted again at the later month ends,
each starting from the one before, so that segments keep their names. Where the history is too short
for that, only the newest month end is fitted, without outcomes.

Customers without a loan, a deposit or a fee in the twelve months do not differ in the facts. They
are a segment by rule, code 0, excluded from the clustering: identical rows would look like a clear
and stable segment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from analytics.i18n.text import LANGUAGES, say
from analytics.rulebooks.registry import schemes
from analytics.segments import cluster, evaluation, explain, features, store, tracking
from analytics.segments import feature_space as spaces
from analytics.segments.definitions import INACTIVE, digest
from data.dates import month_end
from data.editions.reader import EditionReader, Warehouse
from data.errors import UserError

FEWEST = 200
SEED = 7
INACTIVE_NAME = {lang: say("segments.idle", lang) for lang in LANGUAGES}


@dataclass
class Month:
    """One fitted month end.

    codes and names stand in the order of the model's centres; labels are its positions, −1 for
    customers without dealings.
    """

    as_of: date
    frame: pd.DataFrame
    space: spaces.Space
    model: cluster.Model
    labels: np.ndarray
    sample: np.ndarray
    codes: list[str] = field(default_factory=list)
    names: list[dict[str, str]] = field(default_factory=list)
    record: dict = field(default_factory=dict)

    @property
    def every_code(self) -> list[str]:
        """The codes, that of the customers without dealings last: a label of −1 stands for it too."""
        return [*self.codes, INACTIVE]

    @property
    def places(self) -> np.ndarray:
        """Positions in `every_code`."""
        return np.where(self.labels < 0, len(self.codes), self.labels)

    @property
    def sizes(self) -> dict[str, int]:
        counts = np.bincount(self.places, minlength=len(self.codes) + 1)
        return {
            code: int(n)
            for code, n in zip(self.every_code, counts, strict=True)
            if code != INACTIVE or n
        }


def fit(
    warehouse: Warehouse,
    as_of: date | None = None,
    seed: int = SEED,
    monthly: bool = False,
    progress: Callable[[str], None] = lambda said: None,
) -> dict:
    """Fit the segments of a month end (the newest unless told otherwise) and keep them with the edition; returns what
    was kept (see `store.write`).

    monthly  refit every month end of the last year; else only the year before, the month before, and the month itself

    Raises UserError for a month end that the edition does not have, for fewer than 200 customers with dealings, or for
    too few facts.
    """
    with warehouse.session() as view:
        months = tuple(view.edition.months)
        as_of = as_of or months[-1]
        base = features.base_month(months, as_of)
        # One thread: sums in one order, so that two fits agree to the last digit, and no idle
        # threads that spin beside the readers of the app.
        with threadpool_limits(1):
            return _Pipeline(warehouse, view, as_of, base, seed, progress).run(
                _path(months, base, as_of, monthly)
            )


def _path(months: tuple[date, ...], base: date | None, as_of: date, monthly: bool) -> list[date]:
    if base is None:
        return [as_of]
    backs = range(11, 0, -1) if monthly else (1,)
    between = [month_end(as_of, -back) for back in backs]
    return [base, *(month for month in between if month in months and month > base), as_of]


class _Pipeline:
    def __init__(
        self,
        warehouse: Warehouse,
        view: EditionReader,
        as_of: date,
        base: date | None,
        seed: int,
        progress: Callable[[str], None],
    ) -> None:
        self.warehouse = warehouse
        self.view = view
        self.as_of = as_of
        self.base = base
        self.seed = seed
        self.progress, self.seconds = (
            progress,
            dict.fromkeys(("facts", "compare", "fit", "assign", "explain"), 0.0),
        )
        kept = frozenset(view.query("select * from customer_month limit 0").columns)
        self.schemes = [scheme for scheme in schemes() if scheme in kept]
        self.notes: list[dict] = (
            []
            if base
            else [{"key": "note_short", "months": features.FEWEST_MONTHS + features.WINDOW}]
        )
        self.reduced_share, self.choice_rows = spaces.REDUCED_SHARE, np.array([], dtype=int)

    def run(self, path: list[date]) -> dict:
        try:
            first = self._facts(path[0])
        except UserError:
            if not self.base:
                raise
            self.notes.append({"key": "note_base_few", "base": str(self.base), "fewest": FEWEST})
            self.base, path = None, [self.as_of]
            first = self._facts(self.as_of)
        outcomes = None
        if self.base:
            with self._timed("facts"):
                outcomes = features.aligned(first, features.outcomes_after(self.view, self.base))
        earlier = store.previous_fit(
            self.warehouse.home, self.view.edition, month_end(self.as_of, -1)
        )
        method, count, found, reason, month = self._choose(first, outcomes, earlier)
        self._name_first(month, outcomes)
        base, history = month, [month.record]
        for day in path[1:]:
            month = self._refit(self._facts(day), day, method, count, month)
            history.append(month.record)
            if earlier and day == month_end(self.as_of, -1):
                self._continue(earlier, base, month, history)
        return self._keep(base, month, outcomes, found, reason, method, history)

    def _facts(self, day: date) -> pd.DataFrame:
        self.progress(str(day))
        with self._timed("facts"):
            frame = features.facts_at(self.view, day)
        n = int(features.is_active(frame).sum())
        if n < FEWEST:
            raise UserError("too_few_customers", day=day, n=n, fewest=FEWEST)
        return frame

    def _sampled(self, frame: pd.DataFrame) -> np.ndarray:
        active = np.flatnonzero(features.is_active(frame))
        return active[cluster.sample(len(active), cluster.FITTED, self.seed)]

    def _choose(self, frame, outcomes, earlier):
        rows = self._sampled(frame)
        with self._timed("compare"):
            told = None
            if outcomes is not None:
                # No more than half of the customers: the others are left to judge what was chosen.
                half = int(features.is_active(frame).sum()) // 2
                self.choice_rows = rows[
                    cluster.sample(len(rows), min(len(rows), half), self.seed + 5)
                ]
                told = outcomes.iloc[self.choice_rows].reset_index(drop=True)
            tried = {}
            for kept in (spaces.REDUCED_SHARE, spaces.FULL_SHARE):
                space = spaces.fit_space(frame.iloc[rows], kept)
                ways = space.reduced(frame.iloc[rows]), space.reduced(frame.iloc[self.choice_rows])
                means = cluster.compare(
                    *ways, told, self.seed, ("kmeans",), kept == spaces.REDUCED_SHARE
                )
                tried[kept] = space, ways, means
            reduced, whole = tried[spaces.REDUCED_SHARE], tried[spaces.FULL_SHARE]
            self.reduced_share = (
                spaces.REDUCED_SHARE
                if cluster.improves(reduced[2], whole[2])
                else spaces.FULL_SHARE
            )
            (space, ways, found), other = (
                (reduced, whole[2])
                if self.reduced_share == spaces.REDUCED_SHARE
                else (whole, reduced[2])
            )
            others = [method for method in cluster.METHODS if method != "kmeans"]
            found += cluster.compare(
                *ways, told, self.seed, others, self.reduced_share == spaces.REDUCED_SHARE
            )
            before = (earlier["method"], earlier["count"]) if earlier else None
            best, reason = cluster.choose(found, before)
            best.is_chosen = True
            found, x = [*found, *other], ways[0]
        with self._timed("fit"):
            model = cluster.fit(best.method, best.count, x, self.seed)
        return (
            best.method,
            best.count,
            found,
            reason,
            self._assigned(frame, space, model, rows, self.base or self.as_of),
        )

    def _assigned(self, frame, space, model, rows, day) -> Month:
        with self._timed("assign"):
            active = features.is_active(frame)
            labels = np.full(len(frame), -1)
            labels[active] = model.assign(space.reduced(frame[active]))
        return Month(day, frame, space, model, labels, rows)

    def _name_first(self, month: Month, outcomes: pd.DataFrame | None) -> None:
        """Segments in order of later overdue, lowest first; without outcomes by size. Codes 1 …
        count.
        """
        sizes = np.bincount(month.labels[month.labels >= 0], minlength=month.model.count)
        order = np.argsort(-sizes, kind="stable")
        if outcomes is not None and outcomes["overdue"].notna().any():
            told = evaluation.rates(
                month.labels, [str(s) for s in range(month.model.count)], outcomes
            )
            rate = [
                told.get(str(s), {}).get("overdue", {}).get("rate")
                for s in range(month.model.count)
            ]
            order = sorted(order, key=lambda s: (rate[s] is None, rate[s] or 0.0))
        place = {int(segment): str(rank + 1) for rank, segment in enumerate(order)}
        month.codes = [place[s] for s in range(month.model.count)]
        month.names = tracking.segment_names(self._heights(month))
        month.record = {
            "as_of": str(month.as_of),
            "sizes": month.sizes,
            "names": _by_code(month),
            "events": [],
        }

    def _heights(self, month: Month):
        x = month.space.full(month.frame.iloc[month.sample])
        return tracking.z_scores(month.space, x, month.labels[month.sample], month.model.count)

    def _refit(self, frame, day: date, method: str, count: int, before: Month) -> Month:
        rows = self._sampled(frame)
        with self._timed("fit"):
            space = spaces.fit_space(frame.iloc[rows], self.reduced_share)
            x = space.reduced(frame.iloc[rows])
            old = before.model.assign(before.space.reduced(frame.iloc[rows]))
            start = _centres(x, old, before.model.count)
            model = cluster.fit(method, count, x, self.seed, start if len(start) == count else None)
        month = self._assigned(frame, space, model, rows, day)
        new = month.labels[rows]
        pairs, events = tracking.match_centroids(start, _centres(x, new, model.count), old, new)
        month.codes, month.names = _carried(
            pairs, before.codes, before.names, model.count, self._heights(month)
        )
        events = [_coded(event, before.codes, month.codes) for event in events]
        month.record = {
            "as_of": str(day),
            "sizes": month.sizes,
            "names": _by_code(month),
            "events": events,
        }
        month.record |= self._against(before, month) | {"same": cluster.agreement(old, new)}
        return month

    @staticmethod
    def _against(before: Month, month: Month) -> dict:
        codes = list(dict.fromkeys([*before.sizes, *month.sizes]))
        told = tracking.psi(
            [before.sizes.get(c, 0) for c in codes], [month.sizes.get(c, 0) for c in codes]
        )
        keys = (before.frame["customer_key"].to_numpy(), month.frame["customer_key"].to_numpy())
        stayed, was, now = np.intersect1d(*keys, assume_unique=True, return_indices=True)
        agreed = cluster.agreement(before.places[was], month.places[now])
        return told | {"previous": str(before.as_of), "agreement": agreed, "n": len(stayed)}

    def _continue(self, earlier: dict, base: Month, month: Month, history: list[dict]) -> None:
        """Take over codes and names of the edition before, matched at the month end that both have
        fitted.
        """
        frame = month.frame.iloc[month.sample]
        old_space, old_model = (
            spaces.Space.of_json(earlier["space"]),
            store.model_of(earlier["model"]),
        )
        x, new = month.space.reduced(frame), month.labels[month.sample]
        old = old_model.assign(old_space.reduced(frame))
        centres = _centres(x, old, old_model.count), _centres(x, new, month.model.count)
        pairs, events = tracking.match_centroids(*centres, old, new)
        codes, names = earlier["codes"], [earlier["names"][code] for code in earlier["codes"]]
        changed, named = _carried(pairs, codes, names, month.model.count, self._heights(month))
        turned = dict(zip(month.codes, changed, strict=True))
        words = dict(zip(changed, named, strict=True))
        # A segment that had gone by this month keeps a code of its own, apart from those of the
        # edition before.
        free = max(int(code) for code in (*codes, *changed)) + 1
        for told in (base, month):
            for code in told.codes:
                if code not in turned:
                    turned[code], free = str(free), free + 1
        for told in dict.fromkeys((id(base), id(month))):
            it = base if told == id(base) else month
            it.codes = [turned[code] for code in it.codes]
            it.names = [
                words.get(code, name) for code, name in zip(it.codes, it.names, strict=True)
            ]
        for entry in history:
            entry["sizes"] = {turned.get(code, code): n for code, n in entry["sizes"].items()}
            entry["names"] = {
                turned.get(c, c): words.get(turned.get(c, c), name)
                for c, name in entry["names"].items()
            }
            for event in entry["events"]:
                for side in ("old", "new"):
                    event[side] = [turned.get(code, code) for code in event.get(side, [])]
        month.record["events"] += [_coded(event, codes, month.codes) for event in events]

    def _keep(self, base: Month, month: Month, outcomes, found, reason, method, history) -> dict:
        with self._timed("explain"):
            rows = month.sample
            full = month.space.full(month.frame.iloc[rows])
            few = cluster.sample(len(rows), explain.MAP_SAMPLE, self.seed)
            x = (full[few] - np.array(month.space.centre)) @ np.array(month.space.loadings).T
            picture = {
                "key": [int(key) for key in month.frame["customer_key"].iloc[rows[few]]],
                "x": [round(float(v), 4) for v in x[:, 0]],
                "y": [round(float(v), 4) for v in x[:, 1]],
                "segment": [month.codes[s] for s in month.labels[rows][few]],
            }
            sampled, labels = month.frame.iloc[rows], month.labels[rows]
            told = {
                "profile": _coded_rows(
                    explain.profile(month.frame, month.labels, month.model.count, month.space),
                    month,
                ),
                "tree": explain.tree(sampled, labels, month.space, self.seed),
                "importance": explain.importance(sampled, month.space, month.model, self.seed),
                "map": picture,
            }
            told["tree"]["leaves"] = _coded_rows(told["tree"]["leaves"], month)
            centres = explain.centres_of(full, labels, month.model.count)
            # A label of −1 finds the last row: nothing pulls a customer without dealings.
            table = self._members(month, np.vstack([centres, np.zeros_like(centres[:1])]))
            told |= self._beside(base, month, outcomes)
        return store.write(
            self.warehouse.home,
            self.view.edition.id,
            {
                "as_of": str(self.as_of),
                "base": str(self.base) if self.base else None,
                "digest": digest(),
                "seed": self.seed,
                "method": method,
                "count": month.model.count,
                "reduced": self.reduced_share == spaces.REDUCED_SHARE,
                "customers": len(month.frame),
                "idle": int((month.labels < 0).sum()),
                "fitted": len(month.sample),
                "seen": len(self.choice_rows),
                "candidates": [asdict(c) | {"use": c.use} for c in found],
                "reason": reason,
                "codes": month.codes,
                "names": _by_code(month),
                "space": month.space.as_json(),
                "model": store.model_json(month.model),
                "history": history,
                "notes": self.notes + month.space.notes,
                "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            }
            | told,
            table,
        )

    def _members(self, month: Month, centres: np.ndarray) -> pd.DataFrame:
        """customer_key, segment, and the three facts that pull: positions among the axes and the
        customer's own values (of a category the position among the axis' codes).
        """
        parts = []
        codes = np.array([int(code) for code in month.every_code], dtype=np.int16)
        for at in range(0, len(month.frame), spaces.BATCH):
            frame, labels = (
                month.frame.iloc[at : at + spaces.BATCH],
                month.labels[at : at + spaces.BATCH],
            )
            best, _ = explain.drivers(frame, labels, month.space, centres)
            values = np.column_stack([_value(axis, frame[axis.fact]) for axis in month.space.axes])
            own = np.take_along_axis(values, best.clip(0).astype(np.int64), axis=1)
            part = {"customer_key": frame["customer_key"].to_numpy(), "segment": codes[labels]}
            for place in range(explain.DRIVERS):
                part |= {f"fact_{place + 1}": best[:, place], f"value_{place + 1}": own[:, place]}
            parts.append(pd.DataFrame(part))
        return pd.concat(parts, ignore_index=True)

    def _beside(self, base: Month, month: Month, outcomes: pd.DataFrame | None) -> dict:
        """The segments beside the classes of every scheme: outcomes of the year, the cells of
        today, validation.
        """
        now = features.aligned(
            month.frame, features.classes_at(self.view, month.as_of, self.schemes)
        )
        told: dict = {"outcomes": {}, "whole": None, "schemes": {}}
        then, left = None, np.ones(len(base.frame), dtype=bool)
        left[self.choice_rows] = False
        if outcomes is not None:
            then = features.aligned(
                base.frame, features.classes_at(self.view, base.as_of, self.schemes)
            )
            told["outcomes"] = evaluation.rates(base.places, base.every_code, outcomes)
            told["whole"] = evaluation.rates(np.zeros(len(outcomes), dtype=int), ["all"], outcomes)[
                "all"
            ]
        for scheme in self.schemes:
            kinds, codes = _codes(now[scheme])
            graded = (codes >= 0) & ~np.isin(
                codes, [kinds.index(c) for c in evaluation.NO_CLASS if c in kinds]
            )
            many = len(np.unique(codes[graded])) > 1
            agreed = cluster.agreement(codes[graded], month.places[graded]) if many else None
            mine: dict = {
                "agreement": agreed,
                "n": int(graded.sum()),
                "cells": _cells(now, kinds, codes, month),
            }
            if then is not None:
                kinds, codes = _codes(then[scheme])
                mine["classes"] = evaluation.rates(codes, kinds, outcomes)
                pairs = [f"{kind}\x1f{code}" for kind in kinds for code in base.every_code]
                both = np.where(codes < 0, -1, codes * len(base.every_code) + base.places)
                later = evaluation.rates(both, pairs, outcomes)
                for cell in mine["cells"]:
                    cell["later"] = later.get(f"{cell['class']}\x1f{cell['segment']}")
                mine["validation"] = evaluation.validation(
                    base.places[left], then[scheme][left], outcomes[left], self.seed
                )
            told["schemes"][scheme] = mine
        return told

    def _timed(self, name: str):
        return _Timed(self.seconds, name)


class _Timed:
    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self.seconds, self.name = seconds, name

    def __enter__(self) -> None:
        self.began = time.perf_counter()

    def __exit__(self, *_) -> None:
        self.seconds[self.name] += time.perf_counter() - self.began


def _centres(x: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    whole = x.mean(axis=0)
    return np.array(
        [x[labels == s].mean(axis=0) if (labels == s).any() else whole for s in range(count)]
    )


def _carried(pairs, codes, names, count: int, heights) -> tuple[list[str], list[dict[str, str]]]:
    """Codes and names of last month for the segments that have a partner; new ones for the others."""
    free = max(int(code) for code in codes) + 1
    found, said, fresh = [""] * count, [{}] * count, []
    for here in range(count):
        if here in pairs:
            found[here], said[here] = codes[pairs[here]], names[pairs[here]]
        else:
            found[here], free = str(free), free + 1
            fresh.append(here)
    for here, name in zip(
        fresh, tracking.segment_names([heights[h] for h in fresh], [*names]), strict=True
    ):
        said[here] = name
    return found, said


def _coded(event: dict, old: list[str], new: list[str]) -> dict:
    told = {"key": event["key"], "new": [new[place] for place in event.get("new", [])]}
    return told | {"old": [old[event["old"]]] if "old" in event else []}


def _coded_rows(rows: list[dict], month: Month) -> list[dict]:
    return [row | {"segment": month.codes[row["segment"]]} for row in rows]


def _by_code(month: Month) -> dict[str, dict[str, str]]:
    return dict(zip(month.codes, month.names, strict=True)) | {INACTIVE: INACTIVE_NAME}


def _codes(classes: pd.Series) -> tuple[list[str], np.ndarray]:
    """The classes of a scheme in order, and the position of each customer's, −1 for none."""
    kinds = pd.Categorical(classes)
    return [str(kind) for kind in kinds.categories], kinds.codes.astype(np.int64)


def _cells(now: pd.DataFrame, kinds: list[str], codes: np.ndarray, month: Month) -> list[dict]:
    """Class × segment today: customers and balance, CNY."""
    known, count = codes >= 0, len(month.every_code)
    both, balance = (
        (codes * count + month.places)[known],
        now["loan_balance"].fillna(0).to_numpy()[known],
    )
    n = np.bincount(both, minlength=len(kinds) * count)
    owed = np.bincount(both, weights=balance, minlength=len(kinds) * count)
    return [
        {"class": kinds[cell // count], "segment": month.every_code[cell % count], "n": int(n[cell]),
         "balance": round(float(owed[cell]), 2)}
        for cell in np.flatnonzero(n)
    ]  # fmt: skip


def _value(axis, values: pd.Series) -> np.ndarray:
    if axis.codes:
        return axis.places(values).astype(np.float32)
    return values.to_numpy(dtype=np.float32, na_value=np.nan)
