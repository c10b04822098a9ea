"""What a fit stores beside its model: explanations, members, segments beside classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analytics.segments import cluster, evaluation, explain, features
from analytics.segments.evaluation import UNGRADED
from analytics.segments.feature_space import BATCH, Axis
from analytics.segments.fitted_month import FittedMonth
from data.editions.reader import EditionReader

SEPARATOR = "\x1f"


def explanations(month: FittedMonth, seed: int) -> tuple[dict[str, Any], pd.DataFrame]:
    """Explain the segments of a month.

    Returns
    -------
    tuple
        profile, tree, importance (see `explain`) and map ({key, x, y, segment}: a sample of
        customers on the first two components); and the table of members (see `store.members`).
    """
    rows = month.sample
    sampled = month.frame.iloc[rows]
    labels = month.labels[rows]
    full = month.space.full(sampled)
    profile = explain.profile(month.frame, month.labels, month.model.count, month.space)
    tree = explain.tree(sampled, labels, month.space, seed)
    tree["leaves"] = _with_codes(tree["leaves"], month)
    centres = explain.centres_of(full, labels, month.model.count)
    # The label −1 selects the last row: nothing drives an inactive customer.
    members = _members(month, np.vstack([centres, np.zeros_like(centres[:1])]))
    parts = {
        "profile": _with_codes(profile, month),
        "tree": tree,
        "importance": explain.importance(sampled, month.space, month.model, seed),
        "map": _map(month, full, seed),
    }
    return parts, members


def _with_codes(rows: Sequence[Mapping[str, Any]], month: FittedMonth) -> list[dict[str, Any]]:
    return [{**row, "segment": month.codes[row["segment"]]} for row in rows]


def _map(month: FittedMonth, full: np.ndarray, seed: int) -> dict[str, list[Any]]:
    rows = month.sample
    few = cluster.sample(len(rows), explain.MAP_SAMPLE, seed)
    x = (full[few] - np.array(month.space.centre)) @ np.array(month.space.loadings).T
    return {
        "key": [int(key) for key in month.frame["customer_key"].iloc[rows[few]]],
        "x": [round(float(value), 4) for value in x[:, 0]],
        "y": [round(float(value), 4) for value in x[:, 1]],
        "segment": [month.codes[label] for label in month.labels[rows][few]],
    }


def _members(month: FittedMonth, centres: np.ndarray) -> pd.DataFrame:
    """The table of members, see `store.members`; in batches, to limit the memory it takes."""
    codes = np.array([int(code) for code in month.all_codes], dtype=np.int16)
    parts = []
    for start in range(0, len(month.frame), BATCH):
        frame = month.frame.iloc[start : start + BATCH]
        labels = month.labels[start : start + BATCH]
        best, _ = explain.drivers(frame, labels, month.space, centres)
        values = np.column_stack([_values(axis, frame[axis.fact]) for axis in month.space.axes])
        own = np.take_along_axis(values, best.clip(0).astype(np.int64), axis=1)
        part = {"customer_key": frame["customer_key"].to_numpy(), "segment": codes[labels]}
        for rank in range(explain.DRIVERS):
            part[f"fact_{rank + 1}"] = best[:, rank]
            part[f"value_{rank + 1}"] = own[:, rank]
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def _values(axis: Axis, values: pd.Series) -> np.ndarray:
    if axis.codes:
        return axis.positions(values).astype(np.float32)
    return values.to_numpy(dtype=np.float32, na_value=np.nan)


def beside_classes(
    reader: EditionReader,
    base: FittedMonth,
    month: FittedMonth,
    outcomes: pd.DataFrame | None,
    selection_rows: np.ndarray,
    schemes: Sequence[str],
    seed: int,
) -> dict[str, Any]:
    """Put the segments beside the classes of every scheme.

    Parameters
    ----------
    base, outcomes
        The month end a year before, and what followed it (see `features.outcomes_after`); None
        where the history is too short.
    selection_rows
        Positions in `base` of the customers whose outcomes took part in the selection; they are
        left out of the validation.

    Returns
    -------
    dict
        - outcomes: later outcomes by segment code (see `evaluation.rates`)
        - whole: those of all customers
        - schemes: scheme → agreement (adjusted Rand index) and n today; cells, today's customers
          and balance (CNY) by class and segment; with outcomes also classes (later outcomes by
          class), later in every cell, and validation (see `evaluation.validation`)
    """
    now = features.align(month.frame, features.classes_at(reader, month.as_of, schemes))
    results: dict[str, Any] = {"outcomes": {}, "whole": None, "schemes": {}}
    for scheme in schemes:
        results["schemes"][scheme] = _today(now, scheme, month)
    if outcomes is None:
        return results
    then = features.align(base.frame, features.classes_at(reader, base.as_of, schemes))
    everybody = np.zeros(len(outcomes), dtype=int)
    results["outcomes"] = evaluation.rates(base.positions, base.all_codes, outcomes)
    results["whole"] = evaluation.rates(everybody, ["all"], outcomes)["all"]
    others = np.ones(len(base.frame), dtype=bool)
    others[selection_rows] = False
    for scheme, result in results["schemes"].items():
        _add_outcomes(result, then[scheme], base, outcomes)
        result["validation"] = evaluation.validation(
            base.positions[others], then[scheme][others], outcomes[others], seed
        )
    return results


def _today(now: pd.DataFrame, scheme: str, month: FittedMonth) -> dict[str, Any]:
    kinds, codes = _class_codes(now[scheme])
    ungraded = [kinds.index(code) for code in UNGRADED if code in kinds]
    is_graded = (codes >= 0) & ~np.isin(codes, ungraded)
    agreement = None
    if len(np.unique(codes[is_graded])) > 1:
        agreement = cluster.agreement(codes[is_graded], month.positions[is_graded])
    return {
        "agreement": agreement,
        "n": int(is_graded.sum()),
        "cells": _cells(now["loan_balance"], kinds, codes, month),
    }


def _add_outcomes(
    result: dict[str, Any], classes: pd.Series, base: FittedMonth, outcomes: pd.DataFrame
) -> None:
    kinds, codes = _class_codes(classes)
    segments = base.all_codes
    result["classes"] = evaluation.rates(codes, kinds, outcomes)
    pairs = [f"{kind}{SEPARATOR}{segment}" for kind in kinds for segment in segments]
    pair_codes = np.where(codes < 0, -1, codes * len(segments) + base.positions)
    later = evaluation.rates(pair_codes, pairs, outcomes)
    for cell in result["cells"]:
        cell["later"] = later.get(f"{cell['class']}{SEPARATOR}{cell['segment']}")


def _class_codes(classes: pd.Series) -> tuple[list[str], np.ndarray]:
    """Return the classes of a scheme, and the position of each customer's class (−1 for none)."""
    categories = pd.Categorical(classes)
    return [str(kind) for kind in categories.categories], categories.codes.astype(np.int64)


def _cells(
    balances: pd.Series, kinds: Sequence[str], codes: np.ndarray, month: FittedMonth
) -> list[dict[str, Any]]:
    """Return class, segment, n and balance (CNY) of every combination that has customers."""
    segments = month.all_codes
    has_class = codes >= 0
    cells = (codes * len(segments) + month.positions)[has_class]
    size = len(kinds) * len(segments)
    n = np.bincount(cells, minlength=size)
    weights = balances.fillna(0).to_numpy()[has_class]
    balance = np.bincount(cells, weights=weights, minlength=size)
    return [
        {
            "class": kinds[cell // len(segments)],
            "segment": segments[cell % len(segments)],
            "n": int(n[cell]),
            "balance": round(float(balance[cell]), 2),
        }
        for cell in np.flatnonzero(n)
    ]
