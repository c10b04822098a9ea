"""The sections of the page on tiers: shares over time, movements, two schemes crossed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec
import pandas as pd

from analytics.analysis import cross_tab, migration
from analytics.analysis.migration import MigrationQuery
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.definitions import METRICS
from analytics.metrics.query import monthly_shares
from analytics.presentation import metric_charts, rulebook_charts
from data.dates import month_end
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart, headlines, rulebook_tables
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark


def shares_by_tier(selection: Selection, key: str = "held") -> None:
    """Draw the share of each tier in balance or customers over twenty-four months."""
    lang = selection.lang
    metric = chart.picker(
        selection,
        key,
        ("balance", "customers"),
        lambda id: say(f"tiers.share_{id}", lang),
        say("tiers.share", lang),
    )
    with boards.guarded_section(selection, metric):
        question = queries.question_for(selection, metric, ("class",), last=boards.MONTHS)
        answer = queries.ask(question)
        if answer["as_of"].nunique() < 2:
            return
        names = queries.labels("class", lang, selection.scheme)
        share = msgspec.structs.replace(
            METRICS[metric],
            name={other: say(f"tiers.share_{metric}", other) for other in text.LANGUAGES},
            unit="rate",
            better="neither",
        )
        shares_by_month = monthly_shares(answer)
        figure = metric_charts.multiples(
            shares_by_month,
            share,
            "class",
            names,
            lang,
            dark=is_dark(),
            order=list(names),
            columns=4 if len(answer["class"].unique()) > 6 else 3,
        )
        title = headlines.largest_mover(share, shares_by_month, "class", names, lang)
        chart.show(
            selection,
            chart.Chart(key, title, figure, answer, question, dimensions=("class",)),
        )


def cross_table(selection: Selection) -> None:
    """Draw the customers by the classes of two schemes; the margins are each scheme's counts."""
    lang = selection.lang
    others = [scheme for scheme in queries.schemes() if scheme != selection.scheme]
    section_title(say("tiers.cross", lang, scheme=queries.scheme_name(selection.scheme, lang)))
    other = chart.chooser(
        selection,
        "other",
        others,
        lambda code: queries.scheme_name(code, lang),
        say("tiers.other_scheme", lang),
    )
    with boards.guarded_section(selection, "customers"):
        question = queries.question_for(selection, "customers", compare=False).with_changes(
            opening=0
        )
        frame = queries.cached_analysis(cross_tab.cross_tabulate, question, other)
        down, across = (
            queries.labels("class", lang, scheme) for scheme in (selection.scheme, other)
        )
        alt = say("tiers.cross", lang, scheme=queries.scheme_name(selection.scheme, lang))
        chart.draw(rulebook_charts.cross(frame, down, across, dark=is_dark()), f"cross_{lang}", alt)
        caption(say("tiers.cross_note", lang, n=f"{int(frame['n'].sum()):,}"))


def movements(selection: Selection) -> None:
    """Draw how many moved up, down, stayed, came and left since the opening, with balances."""
    lang = selection.lang
    months = selection.opening or 1
    as_of = date.fromisoformat(selection.as_of)
    with boards.guarded_section(selection, "customers"):
        question = queries.question_for(selection, "customers", compare=False).with_changes(
            opening=0
        )
        frame = queries.cached_analysis(
            migration.matrix, MigrationQuery(question, month_end(as_of, -months))
        )
        ways = count_directions(frame, queries.schemes()[selection.scheme].class_codes[:-1])
        up, down = (f"{int(ways.loc[way, 'n']):,}" for way in ("up", "down"))
        section_title(say("tiers.moved", lang, months=months, up=up, down=down))
        rulebook_tables.table(
            [say(f"tiers.{head}", lang) for head in ("way", "moved_n", "moved_balance")],
            [
                (
                    say(f"tiers.way_{way}", lang),
                    f"{int(row['n']):,}",
                    text.number(row["balance"], "money", lang),
                )
                for way, row in ways.iterrows()
            ],
            right=(1, 2),
        )
        caption(say("tiers.moved_note", lang))


def count_directions(frame: pd.DataFrame, ladder: tuple[str, ...]) -> pd.DataFrame:
    """Sum a migration matrix by direction.

    Returns n and balance of up, down, same, unrated (no class on one of the days), came and left
    (with the balance before).
    """
    ranks = {code: rank for rank, code in enumerate(ladder)}
    sums = {way: [0, 0.0] for way in ("up", "down", "same", "unrated", "came", "left")}
    for row in frame.to_dict("records"):
        way = _direction(row["before"], row["after"], ranks)
        sums[way][0] += row["n"]
        sums[way][1] += row["balance_before"] if way == "left" else row["balance"]
    return pd.DataFrame.from_dict(sums, orient="index", columns=["n", "balance"])


def _direction(before: str, after: str, ranks: Mapping[str, int]) -> str:
    """Return the direction of a move; `ranks` has the rank of each class, 0 for the best."""
    if before in ("joined", "moved_in"):
        return "came"
    if after not in ranks and after != "unrated":
        return "left"
    if before == after:
        return "same"
    if before not in ranks or after not in ranks:
        return "unrated"
    return "up" if ranks[after] < ranks[before] else "down"
