"""Segments from month to month: matched by centre, named once; splits, ends and new ones noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2

from analytics.i18n.text import LANGUAGES
from analytics.segments.definitions import FACTS
from analytics.segments.feature_space import Space

SAME_OVERLAP = 0.5
"""A segment is the one of last month when they share at least half of the members of both together.
"""
SPLIT_SHARE = 0.25
"""A segment has split when two new ones each took at least this share of its members."""
LEAST_Z_SCORE = 0.3
"""Distance from the bank's mean, in standard deviations, below which a fact names nothing."""


def match_centroids(
    before: np.ndarray, now: np.ndarray, old: np.ndarray, new: np.ndarray
) -> tuple[dict[int, int], list[dict]]:
    """New segment → old segment (positions), and what happened to those without a partner.

    before, now  centres in one space (segments × components)
    old, new     the segment of the same customers by last month's and by this month's fit
    Pairs are those of least total squared distance between centres (Hungarian method: Kuhn 1955); a pair that shares
    less than half of its members is dropped.
    """
    cost = ((now[:, None, :] - before[None, :, :]) ** 2).sum(axis=2)
    overlap = np.zeros((len(now), len(before)))
    np.add.at(overlap, (new, old), 1)
    pairs = {}
    for here, there in zip(*linear_sum_assignment(cost), strict=True):
        together = overlap[here].sum() + overlap[:, there].sum() - overlap[here, there]
        if together and overlap[here, there] / together >= SAME_OVERLAP:
            pairs[int(here)] = int(there)
    events = []
    for there in range(len(before)):
        went = overlap[:, there] / max(overlap[:, there].sum(), 1)
        heirs = [int(h) for h in np.flatnonzero(went >= SPLIT_SHARE)]
        if there not in pairs.values():
            events.append(
                {
                    "key": "event_split" if len(heirs) > 1 else "event_died",
                    "old": there,
                    "new": heirs,
                }
            )
    events += [{"key": "event_new", "new": [here]} for here in range(len(now)) if here not in pairs]
    return pairs, events


def psi(before: Sequence[int], now: Sequence[int]) -> dict[str, float]:
    """Population stability index of two distributions over the same segments (counts), with its 95
    % critical value for these n, χ²(k − 1)·(1/n + 1/m) (Yurdakul 2018): the common 0.1 and 0.25
    ignore n. Half a customer stands in an empty cell.
    """
    one, other = (np.maximum(np.asarray(part, dtype=float), 0.5) for part in (before, now))
    p, q = one / one.sum(), other / other.sum()
    critical = chi2.ppf(0.95, max(len(p) - 1, 1)) * (1 / one.sum() + 1 / other.sum())
    return {"psi": float(((q - p) * np.log(q / p)).sum()), "critical": float(critical)}


def z_scores(space: Space, x: np.ndarray, labels: np.ndarray, count: int) -> list[dict[str, float]]:
    """Per segment and numeric fact: how far its mean lies from the bank's, in standard deviations."""
    places: dict[str, int] = {}
    for place, owner in enumerate(space.owners):
        places.setdefault(owner, place)
    numeric = [axis for axis in space.axes if not axis.codes]
    found = []
    for segment in range(count):
        mean = (
            x[labels == segment].mean(axis=0) if (labels == segment).any() else np.zeros(x.shape[1])
        )
        found.append({axis.fact: float(mean[places[axis.fact]] / axis.weight) for axis in numeric})
    return found


def segment_names(
    profiles: Sequence[Mapping[str, float]], taken: Sequence[Mapping[str, str]] = ()
) -> list[dict[str, str]]:
    """A name per segment from the two facts of different groups in which it stands out most, such
    as 高存款低用信.

    A name that is taken gets the next fact as well. Raises nothing; a segment that stands out in
    nothing is 大众 / mainstream.
    """
    used = {name["zh-CN"] for name in taken}
    found = []
    for profile in profiles:
        words, groups = [], set()
        for fact, height in sorted(profile.items(), key=lambda entry: (-abs(entry[1]), entry[0])):
            declared = FACTS[fact]
            said = declared.high if height > 0 else declared.low
            if abs(height) < LEAST_Z_SCORE or not said or declared.group in groups:
                continue
            groups.add(declared.group)
            words.append(said)
            if len(words) >= 2 and _joined(words, "zh-CN") not in used:
                break
        name = {lang: _joined(words, lang) or _PLAIN[lang] for lang in LANGUAGES}
        number = 2
        while name["zh-CN"] in used:
            name = {
                lang: f"{(_joined(words, lang) or _PLAIN[lang])} {number}" for lang in LANGUAGES
            }
            number += 1
        used.add(name["zh-CN"])
        found.append(name)
    return found


_PLAIN = {"zh-CN": "大众", "en": "mainstream"}


def _joined(words: Sequence[Mapping[str, str]], lang: str) -> str:
    joined = ("·" if lang == "zh-CN" else ", ").join(word[lang] for word in words)
    return joined[:1].upper() + joined[1:]
