"""Turn features into a space in which distance measures how differently two customers behave.

- A numeric feature is clipped to its 0.5th and 99.5th percentiles, transformed as declared and
  scaled to mean 0 and standard deviation 1. A missing value takes the median of the others.
- A category becomes indicators divided by the square root of their share: factor analysis of mixed
  data (Pagès 2004).
- Every group of features is scaled to a total variance of 1, so that a group with many features
  does not outweigh one with few: multiple factor analysis (Escofier & Pagès 1994), here by total
  inertia.
- Principal components follow: those that hold 60 % of the variance, or all of them where the
  leading ones do not give more stable and more useful segments (`selection.improves`).

The space is stored as JSON; no pickles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analytics.segments.definitions import FEATURES, Feature
from data.errors import UserError

REDUCED_SHARE = 0.6
FULL_SHARE = 1.0
MIN_CODE_SHARE = 0.005
"""Codes of a category rarer than this share of the customers count as `other`."""
BATCH = 100_000
MIN_FEATURES = 3


@dataclass
class Axis:
    """How one feature enters the space: as one column, or as one column per code of a category.

    Attributes
    ----------
    fact
        Id of the feature.
    weight
        Factor that scales the feature's group to a total variance of 1.
    low, high
        Bounds to which values are clipped, in the feature's unit.
    fill, mean, scale
        Median, mean and standard deviation after the transform.
    codes, shares
        Codes of a category and the share of customers with each; empty for a numeric feature.
    """

    fact: str
    group: str
    weight: float = 1.0
    low: float = 0.0
    high: float = 0.0
    fill: float = 0.0
    mean: float = 0.0
    scale: float = 1.0
    codes: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def columns(self, values: pd.Series) -> np.ndarray:
        """Return the weighted coordinates of the feature, customers × 1 or customers × codes."""
        if self.codes:
            shares = np.array(self.shares)
            indicators = self.positions(values)[:, None] == np.arange(len(self.codes))[None, :]
            return ((indicators - shares) / np.sqrt(shares) * self.weight).astype(np.float32)
        x = transform(values, FEATURES[self.fact], self.low, self.high)
        x = np.where(np.isnan(x), self.fill, x)
        return ((x - self.mean) / self.scale * self.weight).astype(np.float32)[:, None]

    def positions(self, values: pd.Series) -> np.ndarray:
        """Return the position in `codes` of each customer's code, −1 where it is not among them."""
        categories = pd.Categorical(values)
        rest = self.codes.index("other") if "other" in self.codes else -1
        position_of = {code: position for position, code in enumerate(self.codes)}
        positions = [position_of.get(str(code), rest) for code in categories.categories]
        # Code −1 of a missing value selects the last entry.
        lookup = np.array([*positions, position_of.get("none", rest)], dtype=np.int64)
        return lookup[categories.codes]


def transform(values: pd.Series, feature: Feature, low: float, high: float) -> np.ndarray:
    """Clip the values and apply the feature's transform; infinite values become missing (NaN)."""
    x = values.to_numpy(dtype=np.float64, na_value=np.nan)
    x = np.clip(np.where(np.isfinite(x), x, np.nan), low, high)
    if feature.transform == "log":
        return np.log1p(np.maximum(x, 0))
    if feature.transform == "signed_log":
        return np.sign(x) * np.log1p(np.abs(x))
    return x


@dataclass
class Space:
    """A fitted space: the features as weighted columns, and the components that reduce them.

    Attributes
    ----------
    axes
        The features in use, in the order of the columns.
    centre
        Means of the columns.
    loadings
        Components × columns.
    share
        Share of the variance that the components hold.
    map_share
        Share of the variance that the first two components hold.
    notes
        Features left out or mended: {key, fact}.
    """

    axes: list[Axis]
    centre: list[float]
    loadings: list[list[float]]
    share: float
    map_share: float
    notes: list[dict[str, str]]

    def full(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the weighted columns before reduction, customers × columns."""
        return np.hstack([axis.columns(frame[axis.fact]) for axis in self.axes])

    def reduced(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the coordinates on the components, customers × components.

        Computed in batches: the full columns of a million customers would take too much memory.
        """
        loadings = np.array(self.loadings, dtype=np.float32).T
        centre = np.array(self.centre, dtype=np.float32)
        parts = [
            (self.full(frame.iloc[start : start + BATCH]) - centre) @ loadings
            for start in range(0, max(len(frame), 1), BATCH)
        ]
        return np.vstack(parts).astype(np.float64)

    @property
    def owners(self) -> list[str]:
        """The id of the feature behind each column of `full`."""
        return [axis.fact for axis in self.axes for _ in (axis.codes or [""])]

    def as_json(self) -> dict[str, Any]:
        """Return the attributes, axes as dicts."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Space:
        """Return the space that `as_json` wrote."""
        return cls(
            axes=[Axis(**axis) for axis in stored["axes"]],
            centre=stored["centre"],
            loadings=stored["loadings"],
            share=stored["share"],
            map_share=stored["map_share"],
            notes=stored["notes"],
        )


def fit_space(frame: pd.DataFrame, variance_share: float = REDUCED_SHARE) -> Space:
    """Fit the space to a sample of customers.

    Parameters
    ----------
    frame
        The features, one row per customer (see `features.features_at`). Infinite values count as
        missing.
    variance_share
        Least share of the variance that the components must hold.

    Returns
    -------
    Space
        Without the features that are missing for everybody or the same for everybody; its notes
        name them.

    Raises
    ------
    UserError
        When fewer than three features are left.
    """
    axes, notes = _fit_axes(frame)
    _weight_groups(axes, frame)
    space = Space(axes, [], [], 1.0, 1.0, notes)
    x = space.full(frame).astype(np.float64)
    space.centre = [float(mean) for mean in x.mean(axis=0)]
    _, sizes, components = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    cumulative = np.cumsum(sizes**2) / np.sum(sizes**2)
    # Columns of one category add up to zero: the last components may be empty.
    sufficient = int(np.searchsorted(cumulative, min(variance_share, 1 - 1e-9)) + 1)
    count = min(max(2, sufficient), len(cumulative))
    space.loadings = np.round(_with_fixed_signs(components[:count]), 9).tolist()
    space.share = float(cumulative[count - 1])
    space.map_share = float(cumulative[1])
    return space


def _fit_axes(frame: pd.DataFrame) -> tuple[list[Axis], list[dict[str, str]]]:
    axes = []
    notes = []
    for feature in FEATURES.values():
        fit_axis = _fit_category if feature.is_category else _fit_number
        axis, note = fit_axis(feature, frame[feature.id])
        if axis:
            axes.append(axis)
        if note:
            notes.append({"key": note, "fact": feature.id})
    if len(axes) < MIN_FEATURES:
        raise UserError("too_few_facts", count_axes=len(axes), too_few_facts=MIN_FEATURES)
    return axes, notes


def _weight_groups(axes: list[Axis], frame: pd.DataFrame) -> None:
    for group in dict.fromkeys(axis.group for axis in axes):
        members = [axis for axis in axes if axis.group == group]
        total = sum(float(axis.columns(frame[axis.fact]).var(axis=0).sum()) for axis in members)
        for axis in members:
            axis.weight = 1 / np.sqrt(total)


def _with_fixed_signs(components: np.ndarray) -> np.ndarray:
    """Make the largest loading of each component positive: its sign is arbitrary otherwise."""
    largest = np.abs(components).argmax(axis=1)
    return components * np.sign(components[np.arange(len(components)), largest])[:, None]


def _fit_number(feature: Feature, values: pd.Series) -> tuple[Axis | None, str | None]:
    x = values.to_numpy(dtype=np.float64, na_value=np.nan)
    has_infinite = bool(np.isinf(x).any())
    x = x[np.isfinite(x)]
    if not len(x):
        return None, "note_missing"
    low, high = (float(bound) for bound in np.percentile(x, [0.5, 99.5]))
    if low == high:
        # A feature that fewer than one customer in two hundred have still distinguishes them.
        low, high = float(x.min()), float(x.max())
    scaled = transform(values, feature, low, high)
    fill = float(np.nanmedian(scaled))
    scaled = np.where(np.isnan(scaled), fill, scaled)
    scale = float(scaled.std())
    if scale < 1e-12:
        return None, "note_constant"
    axis = Axis(feature.id, feature.group, 1.0, low, high, fill, float(scaled.mean()), scale)
    return axis, "note_infinite" if has_infinite else None


def _fit_category(feature: Feature, values: pd.Series) -> tuple[Axis | None, str | None]:
    if not values.notna().any():
        return None, "note_missing"
    texts = values.astype("object").where(values.notna(), "none").astype(str)
    share_of = texts.value_counts(normalize=True)
    frequent = share_of[share_of >= MIN_CODE_SHARE].drop("other", errors="ignore")
    rest = 1 - float(frequent.sum())
    has_rest = rest > 1e-9
    if len(frequent) + has_rest < 2:
        return None, "note_constant"
    pairs = sorted((str(code), float(share)) for code, share in frequent.items())
    if has_rest:
        pairs.append(("other", rest))
    codes = [code for code, _ in pairs]
    shares = [share for _, share in pairs]
    return Axis(feature.id, feature.group, codes=codes, shares=shares), None
