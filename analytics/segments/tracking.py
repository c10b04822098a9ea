"""Track segments from month to month: match, note splits and ends, name, measure shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2

from analytics.i18n.text import LANGUAGES
from analytics.segments.definitions import FEATURES
from analytics.segments.feature_space import Space

MIN_OVERLAP = 0.5
"""Least Jaccard index of the members of two months for a segment to count as the same."""
SPLIT_SHARE = 0.25
"""A segment has split when two new ones each took at least this share of its members."""
MIN_Z_SCORE = 0.3
"""Distance from the mean of all customers, in standard deviations, below which a feature does not
name a segment.
"""
MAX_NAME_PARTS = 2

_DEFAULT_NAME = {"zh-CN": "大众", "en": "mainstream"}


def match_centroids(
    before: np.ndarray, now: np.ndarray, old: np.ndarray, new: np.ndarray
) -> tuple[dict[int, int], list[dict[str, Any]]]:
    """Match the segments of two fits.

    Pairs minimise the total squared distance between centres (Hungarian method, Kuhn 1955). A pair
    whose members overlap by less than half (Jaccard index) is dropped.

    Parameters
    ----------
    before, now
        Centres of last month's and this month's fit in one space, segments × components.
    old, new
        The segment of the same customers by last month's and by this month's fit.

    Returns
    -------
    tuple
        New segment → old segment (positions), and one event per segment without a partner:
        event_split, event_died or event_new with the positions old and new.
    """
    distances = ((now[:, None, :] - before[None, :, :]) ** 2).sum(axis=2)
    overlap = np.zeros((len(now), len(before)))
    np.add.at(overlap, (new, old), 1)
    pairs: dict[int, int] = {}
    for row, column in zip(*linear_sum_assignment(distances), strict=True):
        shared = overlap[row, column]
        union = overlap[row].sum() + overlap[:, column].sum() - shared
        if union and shared / union >= MIN_OVERLAP:
            pairs[int(row)] = int(column)
    events: list[dict[str, Any]] = []
    for segment in range(len(before)):
        if segment in pairs.values():
            continue
        shares = overlap[:, segment] / max(overlap[:, segment].sum(), 1)
        heirs = [int(heir) for heir in np.flatnonzero(shares >= SPLIT_SHARE)]
        key = "event_split" if len(heirs) > 1 else "event_died"
        events.append({"key": key, "old": segment, "new": heirs})
    for segment in range(len(now)):
        if segment not in pairs:
            events.append({"key": "event_new", "new": [segment]})
    return pairs, events


def psi(before: Sequence[int], now: Sequence[int]) -> dict[str, float]:
    """Compute the population stability index of two distributions over the same segments.

    The critical value is that of the 95 % level for these numbers of customers, χ²(k − 1)·(1/n +
    1/m) (Yurdakul 2018): the common thresholds 0.1 and 0.25 ignore them. An empty cell counts as
    half a customer.

    Parameters
    ----------
    before, now
        Customers per segment.

    Returns
    -------
    dict
        psi and critical.
    """
    first = np.maximum(np.asarray(before, dtype=float), 0.5)
    second = np.maximum(np.asarray(now, dtype=float), 0.5)
    p = first / first.sum()
    q = second / second.sum()
    critical = chi2.ppf(0.95, max(len(p) - 1, 1)) * (1 / first.sum() + 1 / second.sum())
    return {"psi": float(((q - p) * np.log(q / p)).sum()), "critical": float(critical)}


def z_scores(space: Space, x: np.ndarray, labels: np.ndarray, count: int) -> list[dict[str, float]]:
    """Compute per segment the z-score of every numeric feature.

    The distance of the segment's mean from that of all customers, in standard deviations.

    Parameters
    ----------
    x
        Customers × columns of the full space.
    labels
        The segment of each customer.

    Returns
    -------
    list of dict
        Per segment: feature id → z-score.
    """
    column_of: dict[str, int] = {}
    for column, owner in enumerate(space.owners):
        column_of.setdefault(owner, column)
    numeric = [axis for axis in space.axes if not axis.codes]
    scores = []
    for segment in range(count):
        members = x[labels == segment]
        mean = members.mean(axis=0) if len(members) else np.zeros(x.shape[1])
        scores.append(
            {axis.fact: float(mean[column_of[axis.fact]] / axis.weight) for axis in numeric}
        )
    return scores


def segment_names(
    profiles: Sequence[Mapping[str, float]], names_in_use: Sequence[Mapping[str, str]] = ()
) -> list[dict[str, str]]:
    """Name every segment after the two features of different groups with the largest z-scores.

    Such as 高存款·低用信. A name that is taken gets the next feature as well, at last a number. A
    segment that stands out in no feature is called 大众 / mainstream.

    Parameters
    ----------
    profiles
        Per segment: feature id → z-score.
    names_in_use
        Names that the new ones must differ from.
    """
    in_use = {name["zh-CN"] for name in names_in_use}
    names = []
    for z_score_of in profiles:
        name = _numbered(_name_parts(z_score_of, in_use), in_use)
        in_use.add(name["zh-CN"])
        names.append(name)
    return names


def _name_parts(z_score_of: Mapping[str, float], in_use: set[str]) -> list[Mapping[str, str]]:
    parts: list[Mapping[str, str]] = []
    groups: set[str] = set()
    for id, z_score in sorted(z_score_of.items(), key=lambda entry: (-abs(entry[1]), entry[0])):
        feature = FEATURES[id]
        part = feature.high if z_score > 0 else feature.low
        if abs(z_score) < MIN_Z_SCORE or not part or feature.group in groups:
            continue
        groups.add(feature.group)
        parts.append(part)
        if len(parts) >= MAX_NAME_PARTS and _joined(parts, "zh-CN") not in in_use:
            break
    return parts


def _numbered(parts: Sequence[Mapping[str, str]], in_use: set[str]) -> dict[str, str]:
    plain = {lang: _joined(parts, lang) or _DEFAULT_NAME[lang] for lang in LANGUAGES}
    name = plain
    number = 2
    while name["zh-CN"] in in_use:
        name = {lang: f"{plain[lang]} {number}" for lang in LANGUAGES}
        number += 1
    return name


def _joined(parts: Sequence[Mapping[str, str]], lang: str) -> str:
    joined = ("·" if lang == "zh-CN" else ", ").join(part[lang] for part in parts)
    return joined[:1].upper() + joined[1:]
