"""Facts → a space in which distance means difference in behaviour. Plain numpy, kept as JSON, no
pickles.

A numeric fact is clipped to its 0.5th and 99.5th percentile, transformed as declared, and scaled to
mean 0 and standard deviation 1; a category becomes indicators divided by the root of their share
(factor analysis of mixed data: Pagès 2004); every group of facts is scaled to a total variance of
1, so that ten facts on lending do not outvote two on paying (multiple factor analysis by total
inertia: Escofier & Pagès 1994); then principal components, those that hold 60 % of the variance
where that makes steadier and more useful segments than all of them (`cluster.improves`). What does not
apply (how a customer without loans pays) takes the median of those to whom it applies.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from analytics.segments.definitions import FACTS, Fact
from data.errors import UserError

REDUCED_SHARE = 0.6
FULL_SHARE = 1.0
RARE = 0.005
"""Codes of a category rarer than this share count as `other`."""
BATCH = 100_000
TOO_FEW_FACTS = 3


@dataclass
class Axis:
    """How one fact enters the space: one column, or one per code of a category (in `codes`)."""

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
        """n × 1, or n × codes: the fact's coordinates."""
        if self.codes:
            shares = np.array(self.shares)
            hot = self.places(values)[:, None] == np.arange(len(self.codes))[None, :]
            return ((hot - shares) / np.sqrt(shares) * self.weight).astype(np.float32)
        x = transformed(values, FACTS[self.fact], self.low, self.high)
        x = np.where(np.isnan(x), self.fill, x)
        return ((x - self.mean) / self.scale * self.weight).astype(np.float32)[:, None]

    def places(self, values: pd.Series) -> np.ndarray:
        """Of a category: the position of each customer's code in `codes`; −1 for a code that is not
        there.
        """
        told = pd.Categorical(values)
        rest = self.codes.index("other") if "other" in self.codes else -1
        place = {code: at for at, code in enumerate(self.codes)}
        found = [place.get(str(code), rest) for code in told.categories]
        return np.array([*found, place.get("none", rest)], dtype=np.int64)[told.codes]


def transformed(values: pd.Series, fact: Fact, low: float, high: float) -> np.ndarray:
    """The fact clipped and transformed as declared; infinite and missing values are missing."""
    x = values.to_numpy(dtype=np.float64, na_value=np.nan)
    x = np.clip(np.where(np.isfinite(x), x, np.nan), low, high)
    if fact.transform == "log":
        return np.log1p(np.maximum(x, 0))
    return np.sign(x) * np.log1p(np.abs(x)) if fact.transform == "signed_log" else x


@dataclass
class Space:
    """axes: the facts in use; loadings: components × columns; share: of the variance that the
    components keep.
    """

    axes: list[Axis]
    centre: list[float]
    loadings: list[list[float]]
    share: float
    map_share: float
    notes: list[dict]

    def full(self, frame: pd.DataFrame) -> np.ndarray:
        """n × columns, weighted, before reduction."""
        return np.hstack([axis.columns(frame[axis.fact]) for axis in self.axes])

    def reduced(self, frame: pd.DataFrame) -> np.ndarray:
        """n × components, in batches, so that a million customers never stand side by side in full."""
        loadings, centre = (
            np.array(self.loadings, dtype=np.float32).T,
            np.array(self.centre, dtype=np.float32),
        )
        parts = [
            (self.full(frame.iloc[at : at + BATCH]) - centre) @ loadings
            for at in range(0, max(len(frame), 1), BATCH)
        ]
        return np.vstack(parts).astype(np.float64)

    @property
    def owners(self) -> list[str]:
        """The fact behind each column of `full`."""
        return [axis.fact for axis in self.axes for _ in (axis.codes or [""])]

    def as_json(self) -> dict:
        return asdict(self)

    @classmethod
    def of_json(cls, told: dict) -> Space:
        return cls(**told | {"axes": [Axis(**axis) for axis in told["axes"]]})


def fit_space(frame: pd.DataFrame, kept: float = REDUCED_SHARE) -> Space:
    """Learn the space from a sample of customers.

    kept  share of the variance that the components must hold

    Facts that are missing throughout or the same for everybody are left out and noted, infinite
    values count as missing. Raises UserError when fewer than three facts are left.
    """
    axes, notes = [], []
    for fact in FACTS.values():
        axis, note = (_category if fact.is_category else _number)(fact, frame[fact.id])
        if axis:
            axes.append(axis)
        if note:
            notes.append({"key": note, "fact": fact.id})
    if len(axes) < TOO_FEW_FACTS:
        raise UserError("too_few_facts", count_axes=len(axes), too_few_facts=TOO_FEW_FACTS)
    for group in dict.fromkeys(axis.group for axis in axes):
        mine = [axis for axis in axes if axis.group == group]
        total = sum(float(axis.columns(frame[axis.fact]).var(axis=0).sum()) for axis in mine)
        for axis in mine:
            axis.weight = 1 / np.sqrt(total)
    space = Space(axes, [], [], 1.0, 1.0, notes)
    x = space.full(frame).astype(np.float64)
    space.centre = [float(v) for v in x.mean(axis=0)]
    _, sizes, turned = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    held = np.cumsum(sizes**2) / np.sum(sizes**2)
    # Columns of one category add up to nothing: the last components may be empty.
    count = min(max(2, int(np.searchsorted(held, min(kept, 1 - 1e-9)) + 1)), len(held))
    # The sign of a component is arbitrary: its largest loading is made positive.
    turned = (
        turned[:count]
        * np.sign(turned[:count][np.arange(count), np.abs(turned[:count]).argmax(axis=1)])[:, None]
    )
    space.loadings = np.round(turned, 9).tolist()
    space.share, space.map_share = float(held[count - 1]), float(held[1])
    return space


def _number(fact: Fact, values: pd.Series) -> tuple[Axis | None, str | None]:
    x = values.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = bool(np.isinf(x).any())
    x = x[np.isfinite(x)]
    if not len(x):
        return None, "note_missing"
    low, high = (float(v) for v in np.percentile(x, [0.5, 99.5]))
    if low == high:
        # A fact that fewer than one in two hundred have is still a difference: clip at the ends
        # instead.
        low, high = float(x.min()), float(x.max())
    told = transformed(values, fact, low, high)
    fill = float(np.nanmedian(told))
    told = np.where(np.isnan(told), fill, told)
    scale = float(told.std())
    if scale < 1e-12:
        return None, "note_constant"
    axis = Axis(fact.id, fact.group, 1.0, low, high, fill, float(told.mean()), scale)
    return axis, "note_infinite" if infinite else None


def _category(fact: Fact, values: pd.Series) -> tuple[Axis | None, str | None]:
    if not values.notna().any():
        return None, "note_missing"
    told = values.astype("object").where(values.notna(), "none").astype(str)
    shares = told.value_counts(normalize=True)
    kept = shares[shares >= RARE].drop("other", errors="ignore")
    rest = 1 - float(kept.sum())
    if len(kept) + (rest > 1e-9) < 2:
        return None, "note_constant"
    codes, found = [str(code) for code in kept.index], [float(share) for share in kept]
    order = sorted(range(len(codes)), key=codes.__getitem__)
    codes, found = [codes[i] for i in order], [found[i] for i in order]
    if rest > 1e-9:
        codes, found = [*codes, "other"], [*found, rest]
    return Axis(fact.id, fact.group, codes=codes, shares=found), None
