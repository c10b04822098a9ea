"""Targets and red lines: the bank's own (table target), else those of data/red_lines.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from analytics.i18n.text import is_missing
from analytics.metrics.definitions import DIMENSIONS, METRICS, MIN_GROUP_SIZE, metric_named
from analytics.metrics.query import ask
from analytics.metrics.question import Question
from analytics.sql.templates import load
from data.declarations import BadDeclaration, Declaration, convert, read_toml
from data.editions.reader import Warehouse
from data.errors import UserError

RED_LINES = Path(__file__).parents[2] / "data" / "red_lines.toml"
WHOLE = ""
BRANCHES = ("branch_1", "branch_2", "branch_3")
_TARGET_COLUMNS = ("target", "to_target", "red_line", "to_red_line")
_BREACH_COLUMNS = ("metric", "branch", "value", "n", "target", "red_line", "is_beyond", "gap")


class RedLine(Declaration, frozen=True):
    """A red line that holds for the whole bank from `effective_on` on; `document` states it."""

    metric: str
    effective_on: date
    value: float
    document: Mapping[str, str]


class _File(Declaration, frozen=True):
    red_line: tuple[RedLine, ...] = ()


@dataclass(frozen=True)
class Target:
    """Target and red line of a value; `document` where the red line is not the bank's own."""

    target: float | None = None
    red_line: float | None = None
    document: Mapping[str, str] | None = None

    def gap(self, value: float | None) -> float | None:
        """The value less its target."""
        if self.target is None or value is None or is_missing(value):
            return None
        return value - self.target

    def headroom(self, value: float | None, better: str) -> float | None:
        """The distance of the value from the red line, negative beyond it."""
        if self.red_line is None or value is None or is_missing(value):
            return None
        return self.red_line - value if better == "lower" else value - self.red_line


NONE = Target()


@cache
def red_lines(path: Path = RED_LINES) -> tuple[RedLine, ...]:
    """Return the declared red lines, oldest first.

    Raises
    ------
    BadDeclaration
        With the path of the entry; also for a metric without a good and a bad direction.
    """
    lines = convert(read_toml(path), _File, path.name).red_line
    for index, line in enumerate(lines):
        if line.metric not in METRICS or METRICS[line.metric].better == "neither":
            raise BadDeclaration(
                "declaration_value",
                file=path.name,
                place=f"red_line[{index}].metric",
                problem=f"{line.metric!r} is no metric with a good and a bad direction",
            )
    return tuple(sorted(lines, key=lambda line: line.effective_on))


def targets_at(warehouse: Warehouse, as_of: date) -> dict[tuple[str, str], Target]:
    """Return (metric, branch) → target of a month end; the branch of the whole bank is ''."""
    targets = {
        (line.metric, WHOLE): Target(red_line=line.value, document=line.document)
        for line in red_lines()
        if line.effective_on <= as_of
    }
    for row in warehouse.query(load("questions/targets"), None, as_of=as_of).to_dict("records"):
        key = (row["metric"], row["branch"])
        if row["metric"] in METRICS:
            targets[key] = _with_delivered(targets.get(key, NONE), row)
    return targets


def _with_delivered(declared: Target, row: Mapping[Any, Any]) -> Target:
    """The delivered target, with the delivered red line, or the declared one without it."""
    has_direction = METRICS[row["metric"]].better != "neither"
    if has_direction and not is_missing(row["red_line"]):
        return Target(row["target"], row["red_line"])
    return Target(row["target"], declared.red_line, declared.document)


def unknown_metrics(warehouse: Warehouse) -> list[str]:
    """Return the codes of the target table that name no declared metric."""
    frame = warehouse.query("select distinct metric from target order by metric")
    return [code for code in frame["metric"] if code not in METRICS]


def target_scope(question: Question) -> str | None:
    """Return the branch whose targets apply to the question, '' for the whole bank.

    Targets are set for branches, so that None applies to a question with any other filter.
    """
    filters = dict(question.where)
    if not filters:
        return WHOLE
    (name, codes), *others = filters.items()
    if others or name not in BRANCHES or len(codes) > 1:
        return None
    return codes[0]


def with_targets(warehouse: Warehouse, question: Question) -> pd.DataFrame:
    """Return the answer with its targets.

    Returns
    -------
    The columns of `ask`, and target, to_target (value less target), red_line, to_red_line (distance
    from the red line, negative beyond it).

    Raises
    ------
    UserError
        As `ask`, and for a question that is not about branches alone.
    """
    scope = target_scope(question)
    by = question.by
    if scope is None or len(by) > 1 or not set(by) <= set(BRANCHES):
        raise UserError("targets_by_branch_only")
    metric = metric_named(question.metric)
    answer = ask(warehouse, question)
    days = [question.as_of] * len(answer)
    if "as_of" in answer:
        days = [day.date() for day in answer["as_of"]]
    branches = answer[by[0]] if by else [scope] * len(answer)
    by_day = {day: targets_at(warehouse, day) for day in set(days)}
    rows = []
    for day, branch, value in zip(days, branches, answer["value"], strict=True):
        target = by_day[day].get((metric.id, branch), NONE)
        headroom = target.headroom(value, metric.better)
        rows.append((target.target, target.gap(value), target.red_line, headroom))
    columns = pd.DataFrame(rows, columns=list(_TARGET_COLUMNS), index=answer.index, dtype="float64")
    return pd.concat([answer, columns], axis=1)


def breaches(warehouse: Warehouse, question: Question, by: str) -> pd.DataFrame:
    """Return the values beyond their red line or short of their target.

    Of the branch that the question is about and of those below it by the dimension `by`; values of
    fewer than 30 are left out. Red lines come first, then the largest distance, as a share of the
    way from target to red line.

    Returns
    -------
    metric, branch ('' for the question's own), value, n, target, red_line, is_beyond (the red
    line), gap (from the red line where it is crossed, else from the target, positive).
    """
    if target_scope(question) is None:
        return pd.DataFrame(columns=list(_BREACH_COLUMNS))
    rows = []
    for metric in dict.fromkeys(metric for metric, _ in targets_at(warehouse, question.as_of)):
        dimensions: list[tuple[str, ...]] = [()]
        if METRICS[metric].supports(DIMENSIONS[by]):
            dimensions.append((by,))
        for dimension in dimensions:
            about = question.with_changes(metric, by=dimension, last=1, compare=None)
            rows += _breaches_of(warehouse, about)
    frame = pd.DataFrame(rows, columns=[*_BREACH_COLUMNS, "distance"])
    order = ["is_beyond", "distance"]
    frame = frame.sort_values(order, ascending=False, kind="stable", ignore_index=True)
    return frame.drop(columns="distance")


def _breaches_of(warehouse: Warehouse, question: Question) -> list[dict[str, Any]]:
    """The breaches of one metric; none where this edition cannot answer."""
    try:
        answer = with_targets(warehouse, question)
    except UserError:
        return []
    better = METRICS[question.metric].better
    rows = []
    for row in answer[answer["n"] >= MIN_GROUP_SIZE].to_dict("records"):
        shortfall = -row["to_target"] if better == "higher" else row["to_target"]
        is_beyond = row["to_red_line"] < 0
        if is_beyond or (better != "neither" and shortfall > 0):
            rows.append(
                {name: row[name] for name in ("value", "n", "target", "red_line")}
                | {
                    "metric": question.metric,
                    "branch": row[question.by[0]] if question.by else WHOLE,
                    "is_beyond": is_beyond,
                    "gap": -row["to_red_line"] if is_beyond else shortfall,
                    "distance": _distance(row, shortfall),
                }
            )
    return rows


def _distance(row: Mapping[Any, float], shortfall: float) -> float:
    """How far on the way from target to red line (1 is at the line).

    Where one of the two is missing, the gap as a share of the other.
    """
    way = abs(row["target"] - row["red_line"])
    if way > 0:
        return shortfall / way
    line = row["red_line"]
    gap = -row["to_red_line"]
    if is_missing(line):
        line = row["target"]
        gap = shortfall
    return gap / abs(line) if line else 0.0
