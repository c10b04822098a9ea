"""Targets and red lines beside the figures: the bank's own (table target), else the lines that risk declared for the
whole bank (data/red_lines.toml). What nobody set is absent, never guessed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from analytics.i18n import text
from analytics.metrics.definitions import DIMENSIONS, METRICS, MIN_GROUP_SIZE, metric_named
from analytics.metrics.query import Question, ask
from analytics.sql.templates import load
from data.errors import UserError

RED_LINES = Path(__file__).parents[2] / "data" / "red_lines.toml"
WHOLE = ""
BRANCHES = ("branch_1", "branch_2", "branch_3")
MISSED = ("metric", "branch", "value", "n", "target", "red_line", "is_beyond", "gap")


@dataclass(frozen=True)
class Target:
    """What a figure is held against; `document` names the rule where the red line is not the bank's own."""

    target: float | None = None
    red_line: float | None = None
    document: Mapping[str, str] | None = None

    def gap(self, value: float | None) -> float | None:
        """The value less its target."""
        return None if self.target is None or text.is_missing(value) else value - self.target

    def room(self, value: float | None, better: str) -> float | None:
        """How far the value is from the red line: negative beyond it."""
        if self.red_line is None or text.is_missing(value):
            return None
        return self.red_line - value if better == "lower" else value - self.red_line


NONE = Target()


@cache
def red_lines(path: Path = RED_LINES) -> tuple[dict[str, Any], ...]:
    """The declared red lines, oldest first. Raises ValueError for a metric that has no bad side."""
    lines = tomllib.loads(path.read_text(encoding="utf-8")).get("red_line", [])
    for line in lines:
        if line["metric"] not in METRICS or METRICS[line["metric"]].better == "neither":
            raise ValueError(
                f"{path.name}: {line['metric']!r} is no metric with a good and a bad side"
            )
    return tuple(sorted(lines, key=lambda line: line["effective_on"]))


def marks(bank, as_of: date) -> dict[tuple[str, str], Target]:
    """(metric, branch) → target and red line of a month end; the branch of the whole bank is ''."""
    found = {
        (line["metric"], WHOLE): Target(None, float(line["value"]), line["document"])
        for line in red_lines()
        if line["effective_on"] <= as_of
    }
    for row in bank.query(load("questions/targets"), None, as_of=as_of).itertuples():
        # A red line without a bad side, or of a figure that is not declared, can be held against nothing.
        if row.metric in METRICS:
            declared = found.get((row.metric, row.branch), NONE)
            own = (
                None
                if text.is_missing(row.red_line) or METRICS[row.metric].better == "neither"
                else row.red_line
            )
            line, document = (declared.red_line, declared.document) if own is None else (own, None)
            found[row.metric, row.branch] = Target(row.target, line, document)
    return found


def unknown(bank) -> list[str]:
    """Codes of the target table that name no declared metric."""
    codes = bank.query("select distinct metric from target order by metric")["metric"]
    return [code for code in codes if code not in METRICS]


def place(question: Question) -> str | None:
    """The branch whose targets the question can be held against, '' for the whole bank; None where it is narrowed
    by anything else: targets are set for branches alone."""
    where = dict(question.where)
    if len(where) > 1 or any(
        name not in BRANCHES or len(codes) > 1 for name, codes in where.items()
    ):
        return None
    return next((codes[0] for codes in where.values()), WHOLE)


def with_targets(bank, question: Question) -> pd.DataFrame:
    """The answer with target, to_target (value less target), red_line and to_red_line (room left; negative beyond it).

    Raises UserError as `ask` does, and for a question that is not about branches alone.
    """
    here, by = place(question), question.by
    if here is None or len(by) > 1 or any(name not in BRANCHES for name in by):
        raise UserError("targets_by_branch_only")
    metric, answer = metric_named(question.metric), ask(bank, question)
    days = answer["as_of"] if "as_of" in answer else [pd.Timestamp(question.as_of)] * len(answer)
    known = {day: marks(bank, day.date()) for day in set(days)}
    branches = answer[by[0]] if by else [here] * len(answer)
    set_for = [
        known[day].get((metric.id, branch), NONE)
        for day, branch in zip(days, branches, strict=True)
    ]
    return answer.assign(
        target=[mark.target for mark in set_for],
        to_target=[mark.gap(value) for mark, value in zip(set_for, answer["value"], strict=True)],
        red_line=[mark.red_line for mark in set_for],
        to_red_line=[
            mark.room(value, metric.better)
            for mark, value in zip(set_for, answer["value"], strict=True)
        ],
    ).astype(dict.fromkeys(("target", "to_target", "red_line", "to_red_line"), "float64"))


def breaches(bank, question: Question, by: str) -> pd.DataFrame:
    """Where a figure stands beyond its red line, or short of its target: of the place that the question is about and of
    the branches `by` below it. Red lines first, then by how far: as a share of the way from target to red line.

    Columns: metric, branch ('' for the place itself), value, n, target, red_line, is_beyond, gap (its size: from the
    red line where that is crossed, else from the target). Groups below 30 are left out.
    """
    found = []
    wanted = (
        {}
        if place(question) is None
        else dict.fromkeys(metric for metric, _ in marks(bank, question.as_of))
    )
    for metric in wanted:
        better = METRICS[metric].better
        for splits in ((), (by,)) if METRICS[metric].supports(DIMENSIONS[by]) else ((),):
            try:
                answer = with_targets(bank, question.about(metric, by=splits, last=1, compare=None))
            except UserError:
                continue
            for row in answer[answer["n"] >= MIN_GROUP_SIZE].to_dict("records"):
                short = -row["to_target"] if better == "higher" else row["to_target"]
                beyond = row["to_red_line"] < 0
                if beyond or (better != "neither" and short > 0):
                    told = {name: row[name] for name in ("value", "n", "target", "red_line")}
                    told |= {
                        "metric": metric,
                        "branch": row[by] if splits else WHOLE,
                        "is_beyond": beyond,
                    }
                    found.append(
                        told
                        | {"gap": -row["to_red_line"] if beyond else short, "far": _far(row, short)}
                    )
    frame = pd.DataFrame(found, columns=[*MISSED, "far"])
    frame = frame.sort_values(
        ["is_beyond", "far"], ascending=False, kind="stable", ignore_index=True
    )
    return frame.drop(columns="far")


def _far(row: Mapping[str, float], short: float) -> float:
    """How far on the way from target to red line (1 is at the line); without a target, by how much of the line."""
    way = abs(row["target"] - row["red_line"])
    if way > 0:
        return short / way
    line = row["target"] if text.is_missing(row["red_line"]) else row["red_line"]
    gap = short if text.is_missing(row["red_line"]) else -row["to_red_line"]
    return gap / abs(line) if line else 0.0
