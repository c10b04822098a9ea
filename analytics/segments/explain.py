"""Explanations of segments: profiles, a shallow tree, importance of facts, drivers per customer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from analytics.segments.cluster import Model, sample
from analytics.segments.definitions import FACTS
from analytics.segments.feature_space import Space

DEPTH = 4
TREE_SAMPLE = 5_000
MAP_SAMPLE = 2_000
"""Customers on the map."""
DRIVERS = 3


def profile(
    frame: pd.DataFrame, labels: np.ndarray, count: int, space: Space
) -> list[dict[str, Any]]:
    """Per segment and fact, in the fact's own unit: value (median; of a flag the share of yes; of a
    category its most frequent code and that code's share), low and high (quartiles), the same value
    for all customers with dealings as bank, height (distance of the means in standard deviations,
    as the space sees them), n of those to whom it applies.
    """
    active = labels >= 0
    frame, labels = frame[active], labels[active]
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(count + 1))
    parts = [order[start:end] for start, end in pairwise(ends)]
    found = []
    for axis in space.axes:
        fact = FACTS[axis.fact]
        if axis.codes:
            places = axis.places(frame[axis.fact])
            shares = np.bincount(places[places >= 0], minlength=len(axis.codes)) / max(
                len(places), 1
            )
            for segment, rows in enumerate(parts):
                n = np.bincount(places[rows][places[rows] >= 0], minlength=len(axis.codes))
                most = int(n.argmax())
                row = {
                    "segment": segment,
                    "fact": fact.id,
                    "n": len(rows),
                    "code": axis.codes[most],
                }
                row |= {
                    "value": float(n[most] / len(rows)) if len(rows) else None,
                    "bank": float(shares[most]),
                }
                found.append(row | {"low": None, "high": None, "height": None})
            continue
        x = frame[axis.fact].to_numpy(dtype=float, na_value=np.nan)
        x = np.where(np.isfinite(x), x, np.nan)
        told = axis.columns(frame[axis.fact])[:, 0] / axis.weight
        for segment, rows in enumerate(parts):
            mine = x[rows][~np.isnan(x[rows])]
            row = {"segment": segment, "fact": fact.id, "n": len(mine), "code": None}
            row |= dict(zip(("value", "low", "high"), _middle(mine, fact.unit), strict=True))
            row |= {"bank": _middle(x[~np.isnan(x)], fact.unit)[0]}
            found.append(row | {"height": float(told[rows].mean()) if len(mine) else None})
    return found


def _middle(x: np.ndarray, unit: str) -> tuple[float | None, float | None, float | None]:
    """Median and quartiles; of a flag the share of yes alone."""
    if not len(x):
        return None, None, None
    if unit == "flag":
        return float(x.mean()), None, None
    low, middle, high = np.percentile(x, [25, 50, 75])
    return float(middle), float(low), float(high)


def tree(frame: pd.DataFrame, labels: np.ndarray, space: Space, seed: int) -> dict[str, Any]:
    """A tree of depth four on the facts themselves that repeats the segments as well as it can.

    fidelity  share of customers whose segment it tells right, by five-fold cross-validation; guess: of whom the largest
              segment would be right
    leaves    [{segment, share (of the leaf), n, path: [{fact, code, sign, value}]}], largest first
    """
    rows = sample(len(frame), TREE_SAMPLE, seed)
    table, owners = _plain(frame.iloc[rows], space)
    y = labels[rows]
    grown = DecisionTreeClassifier(
        max_depth=DEPTH, min_samples_leaf=max(10, len(rows) // 100), random_state=seed
    )
    fewest = np.bincount(y)[np.unique(y)].min()
    fidelity = None
    if fewest >= 5 and len(np.unique(y)) > 1:
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        fidelity = float(accuracy_score(y, cross_val_predict(grown, table, y, cv=folds)))
    grown.fit(table, y)
    leaves: list[dict] = []
    _walk(grown, 0, [], owners, leaves)
    guess = float(np.bincount(y).max() / len(y))
    return {
        "fidelity": fidelity,
        "guess": guess,
        "depth": DEPTH,
        "leaves": sorted(leaves, key=lambda leaf: -leaf["n"]),
    }


def _walk(
    grown, node: int, path: list[dict], owners: list[tuple[str, str | None]], leaves: list[dict]
) -> None:
    it = grown.tree_
    if it.children_left[node] < 0:
        shares = it.value[node][0] / it.value[node][0].sum()
        best = int(shares.argmax())
        leaves.append(
            {"segment": int(grown.classes_[best]), "share": float(shares[best]), "n": int(it.n_node_samples[node]),
             "path": path}
        )  # fmt: skip
        return
    fact, code = owners[it.feature[node]]
    for sign, child in (("<=", it.children_left[node]), (">", it.children_right[node])):
        step = {"fact": fact, "code": code, "sign": sign, "value": float(it.threshold[node])}
        kept = [s for s in path if (s["fact"], s["code"], s["sign"]) != (fact, code, sign)]
        _walk(grown, int(child), [*kept, step], owners, leaves)


def _plain(frame: pd.DataFrame, space: Space) -> tuple[np.ndarray, list[tuple[str, str | None]]]:
    """The facts in their own units, gaps filled as the space fills them, categories as indicators."""
    columns, owners = [], []
    for axis in space.axes:
        values = frame[axis.fact]
        if axis.codes:
            told = values.astype("object").where(values.notna(), "none").astype(str)
            for code in axis.codes:
                columns.append((told == code).to_numpy(dtype=float))
                owners.append((axis.fact, code))
        else:
            x = values.to_numpy(dtype=float, na_value=np.nan)
            known = x[np.isfinite(x)]
            columns.append(np.where(np.isfinite(x), x, np.median(known) if len(known) else 0))
            owners.append((axis.fact, None))
    return np.column_stack(columns), owners


def importance(frame: pd.DataFrame, space: Space, model: Model, seed: int) -> list[dict[str, Any]]:
    """Per fact: share of customers whose segment changes when the fact is shuffled among them
    (permutation importance, Breiman 2001), mean of three shuffles; most important first.
    """
    rows = sample(len(frame), TREE_SAMPLE, seed)
    full = space.full(frame.iloc[rows])
    loadings, centre = np.array(space.loadings).T, np.array(space.centre)
    before = model.assign((full - centre) @ loadings)
    owners, draws = np.array(space.owners), np.random.default_rng(seed)
    found = []
    for axis in space.axes:
        mine = np.flatnonzero(owners == axis.fact)
        moved = []
        for _ in range(3):
            shuffled = full.copy()
            shuffled[:, mine] = full[draws.permutation(len(full))][:, mine]
            moved.append(float((model.assign((shuffled - centre) @ loadings) != before).mean()))
        found.append({"fact": axis.fact, "moved": float(np.mean(moved))})
    return sorted(found, key=lambda row: (-row["moved"], row["fact"]))


def drivers(
    frame: pd.DataFrame, labels: np.ndarray, space: Space, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per customer the three facts that pull most towards the own segment, and how hard: positions
    among the space's axes (−1: none) and pulls, both n × 3.

    The pull of a fact is its part of (|z|² − |z − c|²)/2: how much nearer it brings the customer z
    to the centre c of the segment than to the bank's mean. A fact that does not apply to the
    customer pulls nothing.
    """
    owner_of = {axis.fact: place for place, axis in enumerate(space.axes)}
    owners = np.array([owner_of[fact] for fact in space.owners])
    # A column is one fact's: sums over its columns.
    gather = (owners[:, None] == np.arange(len(space.axes))[None, :]).astype(np.float32)
    full = space.full(frame) - np.array(space.centre, dtype=np.float32)
    c = centres.astype(np.float32)[labels]
    told = (full * c - c**2 / 2) @ gather
    missing = np.column_stack([frame[axis.fact].isna().to_numpy() for axis in space.axes])
    told[missing] = -np.inf
    best = np.argsort(-told, axis=1, kind="stable")[:, :DRIVERS]
    hard = np.take_along_axis(told, best, axis=1)
    return np.where(hard > 0, best, -1).astype(np.int8), np.where(hard > 0, hard, 0).astype(
        np.float32
    )


def centres_of(full: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Means of the members in the full space, less the bank's mean."""
    whole = full.mean(axis=0)
    return np.array(
        [
            full[labels == s].mean(axis=0) - whole if (labels == s).any() else np.zeros_like(whole)
            for s in range(count)
        ]
    )
