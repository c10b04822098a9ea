"""python -m analytics segments fit | show | profile | disagree | validate"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd

from analytics.cli.options import date_of, formatted, housed, positive, show
from analytics.metrics import branches
from analytics.segments import report
from analytics.segments.definitions import FACTS
from data.editions.engine import Warehouse
from data.errors import UserError

_LANG = "en"
WHAT = ("segments", "candidates", "facts", "importance", "tree", "months")


def add(commands: Any) -> None:
    """Add the command, with its own commands, to the parser of `python -m analytics`."""
    parser = commands.add_parser("segments", help="行为分群 / segments by behaviour, beside the classes")
    its = parser.add_subparsers(dest="of_segments", required=True, parser_class=type(parser))

    def one(name: str, run: Callable[[argparse.Namespace], None], words: str) -> argparse.ArgumentParser:
        made = its.add_parser(name, help=words)
        made.add_argument(
            "--as-of", type=date_of, metavar="DATE", help="month end, YYYY-MM-DD; the newest unless given"
        )
        housed(made)
        formatted(made)
        made.set_defaults(run=run)
        return made

    fitted = one("fit", _fit, "分群并随本版保存 / fit and keep with the edition")
    fitted.add_argument("--seed", type=int, default=7)
    fitted.add_argument("--monthly", action="store_true", help="refit every month end of the last year")
    shown = one("show", _show, "列出分群、候选比较 / the segments, the candidates, the months")
    shown.add_argument("--what", choices=WHAT, default="segments")
    told = one("profile", _profile, "各群画像 / each segment in the facts' own units")
    told.add_argument("--segment", help="code of one segment")
    listed = one("disagree", _disagree, "分类与分群不一致的客户 / customers on whom class and segment disagree")
    listed.add_argument("--kind", choices=report.KINDS, default="good_in_bad")
    listed.add_argument("--branch", default="", help="branch number; the whole bank unless given")
    listed.add_argument("--limit", type=positive, default=50)
    judged = one("validate", _validate, "与分类比较的样本外检验 / out of time, against the classes")
    for made in (listed, judged):
        made.add_argument("--scheme", default="abcd")


def _fit(given: argparse.Namespace) -> None:
    # Only here: scikit-learn costs a second to import.
    from analytics.segments.pipeline import fit

    bank = Warehouse(given.home, verify="stamp")
    fit(bank, given.as_of, given.seed, given.monthly, lambda said: print(said, file=sys.stderr))
    of = report.read(bank, given.as_of)
    show(of.table(), given.format)
    for line in (of.reason(_LANG), of.reduction(_LANG), *of.notes(_LANG), *of.events(_LANG)):
        print(line, file=sys.stderr)
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in of.told["seconds"].items())
    print(f"{of.told['customers']:,} customers, fitted on {of.told['fitted']:,}: {spent}", file=sys.stderr)


def _show(given: argparse.Namespace) -> None:
    of = report.read(Warehouse(given.home, verify="stamp"), given.as_of)
    if given.what == "tree":
        leaves = [
            {"segment": leaf["segment"], "n": leaf["n"], "share": leaf["share"], "path": of.leaf(leaf, _LANG)}
            for leaf in of.told["tree"]["leaves"]
        ]
        show(pd.DataFrame(leaves), given.format)
        told = of.told["tree"]
        print(f"fidelity {told['fidelity']}, guessing the largest segment {told['guess']}", file=sys.stderr)
    elif given.what == "months":
        show(of.months(_LANG), given.format)
    elif given.what == "facts":
        show(of.facts(_LANG), given.format)
    else:
        show(
            {"segments": of.table, "candidates": of.candidates, "importance": of.importance}[given.what](), given.format
        )
        if given.what == "candidates":
            print(of.reason(_LANG), of.reduction(_LANG), sep="\n", file=sys.stderr)


def _profile(given: argparse.Namespace) -> None:
    rows = report.read(Warehouse(given.home, verify="stamp"), given.as_of).profile()
    if given.segment:
        known = list(dict.fromkeys(rows["segment"]))
        if given.segment not in known:
            raise UserError("unknown_segment", segment=given.segment, known=known)
        rows = rows[rows["segment"] == given.segment]
    show(rows.assign(meaning=rows["fact"].map(lambda fact: FACTS[fact].meaning[_LANG])), given.format)


def _disagree(given: argparse.Namespace) -> None:
    bank = Warehouse(given.home, verify="stamp")
    if given.branch and given.branch not in branches.tree(bank):
        raise UserError("unknown_branch", branch=given.branch)
    found = report.read(bank, given.as_of).disagreements(bank, given.scheme, given.kind, given.branch)
    show(found.rows(bank, _LANG, given.limit), given.format)
    classes, segments = ", ".join(found.classes) or "none", ", ".join(found.segments) or "none"
    print(f"{len(found):,} customers; classes {classes}; segments {segments}", file=sys.stderr)


def _validate(given: argparse.Namespace) -> None:
    of = report.read(Warehouse(given.home, verify="stamp"), given.as_of)
    show(of.validation(given.scheme), given.format)
    print(of.verdict(given.scheme, _LANG), file=sys.stderr)
