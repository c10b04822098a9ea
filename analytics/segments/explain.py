"""Explain segments: profiles, a shallow tree, importance of features, drivers per customer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from analytics.segments.cluster import Model, sample
from analytics.segments.definitions import FEATURES
from analytics.segments.feature_space import Axis, Space

DEPTH = 4
TREE_SAMPLE = 5_000
MAP_SAMPLE = 2_000
"""Customers on the map."""
DRIVERS = 3
SHUFFLES = 3
FOLDS = 5


def profile(
    frame: pd.DataFrame, labels: np.ndarray, count: int, space: Space
) -> list[dict[str, Any]]:
    """Describe every segment by every feature, in the feature's own unit.

    Parameters
    ----------
    frame
        The features, one row per customer (see `features.features_at`).
    labels
        The segment of each customer, −1 for inactive customers, who are left out.

    Returns
    -------
    list of dict
        One row per feature and segment:

        - segment, fact (id of the feature), n (members to whom it applies)
        - value: the median; of a flag the share of yes; of a category the share of its most
          frequent code, which is in code
        - low, high: the quartiles
        - bank: the same value for all active customers
        - height: z-score, the distance of the segment's mean from that of all customers in standard
          deviations of the space
    """
    active = labels >= 0
    frame = frame[active]
    labels = labels[active]
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(count + 1))
    members = [order[start:end] for start, end in pairwise(ends)]
    rows: list[dict[str, Any]] = []
    for axis in space.axes:
        describe = _profile_category if axis.codes else _profile_number
        rows += describe(axis, frame[axis.fact], members)
    return rows


def _profile_category(
    axis: Axis, values: pd.Series, members: Sequence[np.ndarray]
) -> list[dict[str, Any]]:
    positions = axis.positions(values)
    counts = np.bincount(positions[positions >= 0], minlength=len(axis.codes))
    shares = counts / max(len(positions), 1)
    rows = []
    for segment, customers in enumerate(members):
        own = positions[customers]
        n = np.bincount(own[own >= 0], minlength=len(axis.codes))
        mode = int(n.argmax())
        rows.append(
            {
                "segment": segment,
                "fact": axis.fact,
                "n": len(customers),
                "code": axis.codes[mode],
                "value": float(n[mode] / len(customers)) if len(customers) else None,
                "bank": float(shares[mode]),
                "low": None,
                "high": None,
                "height": None,
            }
        )
    return rows


def _profile_number(
    axis: Axis, values: pd.Series, members: Sequence[np.ndarray]
) -> list[dict[str, Any]]:
    unit = FEATURES[axis.fact].unit
    x = values.to_numpy(dtype=float, na_value=np.nan)
    x = np.where(np.isfinite(x), x, np.nan)
    z_scores = axis.columns(values)[:, 0] / axis.weight
    overall, _, _ = _median_and_quartiles(x[~np.isnan(x)], unit)
    rows = []
    for segment, customers in enumerate(members):
        own = x[customers]
        own = own[~np.isnan(own)]
        value, low, high = _median_and_quartiles(own, unit)
        rows.append(
            {
                "segment": segment,
                "fact": axis.fact,
                "n": len(own),
                "code": None,
                "value": value,
                "low": low,
                "high": high,
                "bank": overall,
                "height": float(z_scores[customers].mean()) if len(own) else None,
            }
        )
    return rows


def _median_and_quartiles(
    x: np.ndarray, unit: str
) -> tuple[float | None, float | None, float | None]:
    """Return median, lower and upper quartile; of a flag the share of yes alone."""
    if not len(x):
        return None, None, None
    if unit == "flag":
        return float(x.mean()), None, None
    low, median, high = np.percentile(x, [25, 50, 75])
    return float(median), float(low), float(high)


def tree(frame: pd.DataFrame, labels: np.ndarray, space: Space, seed: int) -> dict[str, Any]:
    """Fit a tree of depth four on the features themselves that predicts the segments.

    Returns
    -------
    dict
        - fidelity: share of customers whose segment the tree predicts, by five-fold
          cross-validation; None where a segment has fewer than five customers in the sample
        - guess: share for which the largest segment would be right
        - depth
        - leaves: {segment, share (of the leaf), n, path}, largest first; path is a list of {fact,
          code, sign, value}
    """
    rows = sample(len(frame), TREE_SAMPLE, seed)
    x, owners = _untransformed(frame.iloc[rows], space)
    y = labels[rows]
    classifier = DecisionTreeClassifier(
        max_depth=DEPTH, min_samples_leaf=max(10, len(rows) // 100), random_state=seed
    )
    sizes = np.bincount(y)[np.unique(y)]
    fidelity = None
    if sizes.min() >= FOLDS and len(sizes) > 1:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        fidelity = float(accuracy_score(y, cross_val_predict(classifier, x, y, cv=folds)))
    classifier.fit(x, y)
    leaves = _leaves(classifier, 0, [], owners)
    return {
        "fidelity": fidelity,
        "guess": float(np.bincount(y).max() / len(y)),
        "depth": DEPTH,
        "leaves": sorted(leaves, key=lambda leaf: -leaf["n"]),
    }


def _leaves(
    classifier: DecisionTreeClassifier,
    node: int,
    path: list[dict[str, Any]],
    owners: list[tuple[str, str | None]],
) -> list[dict[str, Any]]:
    """Return the leaves below a node; a later bound on a feature replaces an earlier one."""
    nodes = classifier.tree_
    if nodes.children_left[node] < 0:
        shares = nodes.value[node][0] / nodes.value[node][0].sum()
        best = int(shares.argmax())
        leaf = {
            "segment": int(classifier.classes_[best]),
            "share": float(shares[best]),
            "n": int(nodes.n_node_samples[node]),
            "path": path,
        }
        return [leaf]
    fact, code = owners[nodes.feature[node]]
    leaves = []
    for sign, child in (("<=", nodes.children_left[node]), (">", nodes.children_right[node])):
        step = {"fact": fact, "code": code, "sign": sign, "value": float(nodes.threshold[node])}
        others = [s for s in path if (s["fact"], s["code"], s["sign"]) != (fact, code, sign)]
        leaves += _leaves(classifier, int(child), [*others, step], owners)
    return leaves


def _untransformed(
    frame: pd.DataFrame, space: Space
) -> tuple[np.ndarray, list[tuple[str, str | None]]]:
    """Return the features in their own units (customers × columns), and the owner of each column.

    Missing values take the median; categories become indicators.
    """
    columns: list[np.ndarray] = []
    owners: list[tuple[str, str | None]] = []
    for axis in space.axes:
        values = frame[axis.fact]
        if axis.codes:
            texts = values.astype("object").where(values.notna(), "none").astype(str)
            for code in axis.codes:
                columns.append((texts == code).to_numpy(dtype=float))
                owners.append((axis.fact, code))
        else:
            x = values.to_numpy(dtype=float, na_value=np.nan)
            finite = x[np.isfinite(x)]
            median = np.median(finite) if len(finite) else 0
            columns.append(np.where(np.isfinite(x), x, median))
            owners.append((axis.fact, None))
    return np.column_stack(columns), owners


def importance(frame: pd.DataFrame, space: Space, model: Model, seed: int) -> list[dict[str, Any]]:
    """Compute the permutation importance of every feature (Breiman 2001).

    Returns
    -------
    list of dict
        fact and moved: share of customers whose segment changes when the feature is shuffled among
        them, mean of three shuffles; most important first.
    """
    rows = sample(len(frame), TREE_SAMPLE, seed)
    full = space.full(frame.iloc[rows])
    loadings = np.array(space.loadings).T
    centre = np.array(space.centre)
    before = model.assign((full - centre) @ loadings)
    owners = np.array(space.owners)
    draws = np.random.default_rng(seed)
    importances = []
    for axis in space.axes:
        columns = np.flatnonzero(owners == axis.fact)
        shares = []
        for _ in range(SHUFFLES):
            shuffled = full.copy()
            shuffled[:, columns] = full[draws.permutation(len(full))][:, columns]
            after = model.assign((shuffled - centre) @ loadings)
            shares.append(float((after != before).mean()))
        importances.append({"fact": axis.fact, "moved": float(np.mean(shares))})
    return sorted(importances, key=lambda row: (-row["moved"], row["fact"]))


def drivers(
    frame: pd.DataFrame, labels: np.ndarray, space: Space, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find per customer the three features that contribute most to the membership in the segment.

    The contribution of a feature is its part of (|z|² − |z − c|²)/2: how much nearer it brings the
    customer z to the centre c of the segment than to the mean of all customers. A feature that does
    not apply to the customer contributes nothing.

    Parameters
    ----------
    labels
        The segment of each customer.
    centres
        Segments × columns of the full space, less the mean of all customers (see `centres_of`).

    Returns
    -------
    tuple
        Positions among the axes of the space (−1 for none) and contributions, both customers × 3,
        largest first.
    """
    position_of = {axis.fact: position for position, axis in enumerate(space.axes)}
    owners = np.array([position_of[fact] for fact in space.owners])
    # Columns × features: sums the columns of each feature.
    grouping = (owners[:, None] == np.arange(len(space.axes))[None, :]).astype(np.float32)
    z = space.full(frame) - np.array(space.centre, dtype=np.float32)
    c = centres.astype(np.float32)[labels]
    contributions = (z * c - c**2 / 2) @ grouping
    missing = np.column_stack([frame[axis.fact].isna().to_numpy() for axis in space.axes])
    contributions[missing] = -np.inf
    best = np.argsort(-contributions, axis=1, kind="stable")[:, :DRIVERS]
    largest = np.take_along_axis(contributions, best, axis=1)
    is_positive = largest > 0
    positions = np.where(is_positive, best, -1).astype(np.int8)
    return positions, np.where(is_positive, largest, 0).astype(np.float32)


def centres_of(full: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Return the mean of each segment in the full space less that of all customers.

    Parameters
    ----------
    full
        Customers × columns.

    Returns
    -------
    ndarray
        Segments × columns; zeros for a segment without members.
    """
    overall = full.mean(axis=0)
    centres = [
        full[labels == segment].mean(axis=0) - overall
        if (labels == segment).any()
        else np.zeros_like(overall)
        for segment in range(count)
    ]
    return np.array(centres)
