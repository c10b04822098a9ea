"""The commands of `python -m analytics segments`: fit, show, profile, disagree, validate."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import click
import pandas as pd

from analytics.cli.options import (
    POSITIVE,
    Decorator,
    as_of_option,
    command,
    format_option,
    home_option,
    scheme_option,
    show,
)
from analytics.metrics import branches
from analytics.segments import report
from analytics.segments.definitions import FEATURES
from data.editions.reader import Warehouse
from data.errors import UserError

_LANGUAGE = "en"
TABLES = ("segments", "candidates", "facts", "importance", "tree", "months")


def _command(
    name: str, words: str, *options: Decorator
) -> Callable[[Callable[..., Any]], click.Command]:
    common = (as_of_option(required=False), home_option(), format_option())
    return command(name, words, *common, *options)


def _warehouse(home: Path) -> Warehouse:
    return Warehouse(home, verify="fingerprint")


@_command(
    "fit",
    "分群并随本版保存 / fit and keep with the edition",
    click.option("--seed", type=int, default=7),
    click.option("--monthly", is_flag=True, help="refit every month end of the last year"),
)
def _fit(as_of: date | None, home: Path, format: str, seed: int, monthly: bool) -> None:
    # Only here: scikit-learn costs a second to import.
    from analytics.segments.pipeline import fit

    warehouse = _warehouse(home)
    fit(warehouse, as_of, seed, monthly, lambda line: print(line, file=sys.stderr))
    segments = report.read(warehouse, as_of)
    show(segments.table(), format)
    lines = [segments.reason(_LANGUAGE), segments.reduction(_LANGUAGE)]
    lines += segments.notes(_LANGUAGE) + segments.events(_LANGUAGE)
    payload = segments.payload
    durations = [f"{step} {seconds:.1f} s" for step, seconds in payload["seconds"].items()]
    size = f"{payload['customers']:,} customers, fitted on {payload['fitted']:,}"
    lines.append(f"{size}: {', '.join(durations)}")
    for line in lines:
        print(line, file=sys.stderr)


@_command(
    "show",
    "列出分群、候选比较 / the segments, the candidates, the months",
    click.option("--what", type=click.Choice(TABLES), default="segments"),
)
def _show(as_of: date | None, home: Path, format: str, what: str) -> None:
    segments = report.read(_warehouse(home), as_of)
    tables: dict[str, Callable[[], pd.DataFrame]] = {
        "segments": segments.table,
        "candidates": segments.candidates,
        "importance": segments.importance,
        "months": lambda: segments.months(_LANGUAGE),
        "facts": lambda: segments.features(_LANGUAGE),
        "tree": lambda: _leaves(segments),
    }
    show(tables[what](), format)
    if what == "tree":
        tree = segments.payload["tree"]
        print(
            f"fidelity {tree['fidelity']}, guessing the largest segment {tree['guess']}",
            file=sys.stderr,
        )
    if what == "candidates":
        print(segments.reason(_LANGUAGE), segments.reduction(_LANGUAGE), sep="\n", file=sys.stderr)


def _leaves(segments: report.Segments) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "segment": leaf["segment"],
            "n": leaf["n"],
            "share": leaf["share"],
            "path": segments.leaf(leaf, _LANGUAGE),
        }
        for leaf in segments.payload["tree"]["leaves"]
    )


@_command(
    "profile",
    "各群画像 / each segment in the facts' own units",
    click.option("--segment", help="code of one segment"),
)
def _profile(as_of: date | None, home: Path, format: str, segment: str | None) -> None:
    rows = report.read(_warehouse(home), as_of).profile()
    if segment:
        codes = list(dict.fromkeys(rows["segment"]))
        if segment not in codes:
            raise UserError("unknown_segment", segment=segment, known=codes)
        rows = rows[rows["segment"] == segment]
    meanings = [FEATURES[id].meaning[_LANGUAGE] for id in rows["fact"]]
    show(rows.assign(meaning=meanings), format)


@_command(
    "disagree",
    "分类与分群不一致的客户 / customers on whom class and segment disagree",
    click.option("--kind", type=click.Choice(report.KINDS), default="good_in_bad"),
    click.option("--branch", default="", help="branch number; the whole bank unless given"),
    click.option("--limit", type=POSITIVE, default=50),
    scheme_option(),
)
def _disagree(
    as_of: date | None, home: Path, format: str, kind: str, branch: str, limit: int, scheme: str
) -> None:
    warehouse = _warehouse(home)
    if branch and branch not in branches.tree(warehouse):
        raise UserError("unknown_branch", branch=branch)
    customers = report.read(warehouse, as_of).disagreements(warehouse, scheme, kind, branch)
    show(customers.rows(warehouse, _LANGUAGE, limit), format)
    classes = ", ".join(customers.classes) or "none"
    codes = ", ".join(customers.segments) or "none"
    print(f"{len(customers):,} customers; classes {classes}; segments {codes}", file=sys.stderr)


@_command("validate", "与分类比较的样本外检验 / out of time, against the classes", scheme_option())
def _validate(as_of: date | None, home: Path, format: str, scheme: str) -> None:
    segments = report.read(_warehouse(home), as_of)
    show(segments.validation(scheme), format)
    print(segments.verdict(scheme, _LANGUAGE), file=sys.stderr)


COMMANDS = click.Group(
    "segments",
    [_fit, _show, _profile, _disagree, _validate],
    help="行为分群 / segments by behaviour, beside the classes",
    no_args_is_help=False,
)
