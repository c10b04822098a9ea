"""The smallest change of one fact that gives a better or a worse class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from analytics.rulebooks.conditions import Env
from analytics.rulebooks.facts import Fact
from analytics.rulebooks.model import NearestChange


def nearest_changes(
    env: Env,
    code: str,
    facts: Mapping[str, Fact],
    candidates: Mapping[str, Iterable[Any]],
    decide: Callable[[Env], str],
    ranks: Mapping[str, int],
) -> dict[str, NearestChange]:
    """Return the nearest change by direction, `up` (a better class) or `down`.

    Parameters
    ----------
    env
        The facts of one customer or loan, whose class is `code`.
    candidates
        The values to try, by fact.
    decide
        Returns the class code of facts.
    ranks
        The classes with their ranks, 0 the best; other codes (unrated) do not count as a change.
    """
    nearest: dict[str, NearestChange] = {}
    costs: dict[str, float] = {}
    for name, fact in facts.items():
        value = env[name]
        if value is None:
            continue
        for candidate in candidates[name]:
            if candidate == value:
                continue
            new_code = decide({**env, name: candidate})
            if new_code == code or new_code not in ranks:
                continue
            direction = "up" if ranks[new_code] < ranks[code] else "down"
            cost = _distance(fact, value, candidate)
            if direction not in costs or cost < costs[direction]:
                costs[direction] = cost
                difference = _difference(fact, value, candidate)
                nearest[direction] = NearestChange(
                    direction, fact, value, candidate, difference, new_code
                )
    return nearest


def _difference(fact: Fact, value: Any, candidate: Any) -> Any:
    if not fact.is_numeric:
        return None
    difference = candidate - value
    return round(difference, 9) if isinstance(difference, float) else difference


def _distance(fact: Fact, value: Any, candidate: Any) -> float:
    """Return the distance of two values of a fact, comparable between facts.

    Numbers are relative to their size, ordered codes differ by rank; other values are 1 apart.
    """
    if fact.is_numeric:
        return float(abs(candidate - value)) / max(float(abs(candidate)), float(abs(value)), 1.0)
    if fact.ascending:
        ranks = fact.ascending.index(candidate) - fact.ascending.index(value)
        return abs(ranks) / len(fact.ascending)
    return 1.0
