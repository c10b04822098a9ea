"""The boards of the migration page: matrix, five-category rates, roll, vintage, reloan curves, forecast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import pandas as pd
import streamlit as st

from analytics.analysis import cohorts, forecast, migration
from analytics.analysis.cohorts import Cohorts
from analytics.analysis.migration import Moves
from analytics.i18n import text
from analytics.i18n.text import say
from analytics.metrics.buckets import sets
from analytics.metrics.definitions import METRICS, MIN_GROUP_SIZE
from analytics.metrics.query import Question
from analytics.presentation import change_charts
from pages.parts.sections import change
from pages.parts.state import queries
from pages.parts.state.selection import Selection
from pages.parts.widgets import boards, chart, drilldown, matrix, move_drilldown
from pages.parts.widgets.theme import is_dark

LINES = 8
YOUNG = 3


def moves_matrix(selection: Selection, asked: Moves, measure: str) -> None:
    """Who moved from which class or bucket to which."""
    lang = selection.lang
    with boards.guarded_section(selection, "loans"):
        frame = queries.cached_analysis(migration.matrix, asked)
        names = move_drilldown.state_names(selection, asked)
        outside = {migration.JOINED, migration.MOVED_IN, *migration.EXITS}
        states = [code for code in names if code not in outside]
        matrix.show(
            selection,
            "matrix",
            _moved_most(frame, states, names, asked, lang),
            frame,
            states,
            names,
            measure,
        )


def _moved_most(
    frame: pd.DataFrame, states, names: Mapping[str, str], asked: Moves, lang: str
) -> str:
    """The message: how many stayed where they were, and the most frequent move."""
    inside = frame[frame["before"].isin(states) & frame["after"].isin(states)]
    crossed = inside[inside["before"] != inside["after"]]
    said = {
        "before": text.month(asked.before, lang),
        "after": text.month(asked.question.as_of, lang),
    }
    if inside.empty or crossed.empty:
        return say("migration.nobody", lang, **said)
    top = crossed.loc[crossed["n"].idxmax()]
    return say(
        "migration.title",
        lang,
        **said,
        moved=f"{int(crossed['n'].sum()):,}",
        all=f"{int(inside['n'].sum()):,}",
        source=names[top["before"]],
        target=names[top["after"]],
        n=f"{int(top['n']):,}",
        unit=say("migration.loans" if asked.of_loans else "migration.customers", lang),
    )


def rates(selection: Selection, question: Question, before: date) -> None:
    """The five regulatory migration rates with both halves."""
    lang = selection.lang
    with boards.guarded_section(selection, "loans"):
        found = queries.cached_analysis(migration.rates, question, before)
        whole = found.iloc[0]
        value = text.number(whole["value"], "rate", lang)
        boards.section_title(
            say("migration.rates_title", lang, value=value, before=text.month(before, lang))
        )
        columns = ("rate", "value", "moved_down", "net", "opening", "decrease")
        heads = [say(f"migration.{name}", lang) for name in columns]
        out = pd.DataFrame(
            [
                (
                    say(f"migration.rate_{row.rate}", lang),
                    text.number(row.value, "rate", lang)
                    + (f" {say('figure.few', lang)}" if row.n < MIN_GROUP_SIZE else ""),
                    *(
                        text.number(half, "money", lang)
                        for half in (row.numerator, row.denominator)
                    ),
                    *(text.number(half, "money", lang) for half in (row.opening, row.decrease)),
                    f"{row.n:,}",
                )
                for row in found.itertuples()
            ],
            columns=[*heads, "n"],
        )
        _table(selection, out, heads[0], "rates", lambda at, _: {"rate": migration.RATES[at]})
        boards.caption(say("migration.rates_note", lang), say("migration.rates_click", lang))


def roll(selection: Selection, question: Question, buckets: str) -> None:
    """Stock roll rates over twelve months, where the buckets are a month wide."""
    lang, declared = selection.lang, sets()[buckets]
    if not declared.monthly:
        return
    with boards.guarded_section(selection, "loans"):
        found = queries.cached_analysis(migration.roll_series, question, 12, buckets)
        names = declared.labels(lang)
        steps = {a: f"{names[a]} → {names[b]}" for a, b in pairwise(declared.codes[:-1])}
        last = found[found["as_of"] == found["as_of"].max()].set_index("bucket")
        first = declared.codes[0]
        said = text.number(last["value"].get(first), "rate", lang)
        boards.section_title(say("migration.roll_title", lang, step=steps[first], value=said))
        wide = found.pivot(index="bucket", columns="as_of", values="value").reindex(list(steps))
        n = last["n"].reindex(list(steps))
        out = pd.DataFrame({say("migration.step", lang): list(steps.values())})
        for month in wide.columns:
            out[text.month(month, lang, short=True)] = [
                text.number(value, "rate", lang) for value in wide[month]
            ]
        few = say("figure.few", lang)
        out["n"] = [
            f"{int(count):,}" + (f" {few}" if count < MIN_GROUP_SIZE else "")
            for count in n.fillna(0)
        ]
        _table(selection, out, say("migration.step", lang))
        boards.caption(say("migration.roll_note", lang))


def vintage(
    selection: Selection, question: Question, days: int, late: str, counted: str
) -> tuple[Cohorts, str]:
    """Lines of cohorts by month on book, or of the parts of one split within one cohort. Gives what the list needs, and
    that cohort."""
    lang, cohort = selection.lang, ""
    head = (
        queries.dimension_name(question.by[0], lang)
        if question.by
        else say("migration.cohort", lang)
    )
    asked = Cohorts(question, "vintage", days, late, "year" if question.by else "quarter")
    with boards.guarded_section(selection, "loans"):
        found = queries.cached_analysis(cohorts.vintage, question, days, late, asked.period)
        if counted == "loans":
            found = found.assign(value=found["value_loans"])
        if question.by:
            cohort = _cohort_picker(selection, found)
            names = queries.labels(question.by[0], lang, selection.scheme)
            found = found[found["cohort"].astype(str).str[:10] == cohort]
            big = found[found["month"] == 0].sort_values("n", ascending=False)["part"].head(LINES)
            found = found[found["part"].isin(big)]
            title = say("migration.vintage_split", lang, cohort=cohort[:4])
        else:
            # A cohort of less than three months has nothing to show yet.
            grown = found.groupby("cohort")["month"].max()
            old = sorted(grown[grown >= YOUNG].index)[-LINES:]
            names = {
                str(day)[:10]: move_drilldown.period_name(str(day)[:10], "quarter") for day in old
            }
            found = found.assign(part=found["cohort"].astype(str).str[:10])
            found = found[found["part"].isin(names)]
            title = say("migration.vintage_title", lang)
        grown = found.groupby("part")["month"].max()
        names = {code: name for code, name in names.items() if code in grown.index}
        enough = found[(found["month"] <= 6) & (found["n"] >= MIN_GROUP_SIZE)]
        worst = enough.groupby("part")["value"].max()
        bold = [worst.idxmax()] if len(worst) and worst.max() > 0 else []
        said = (
            say(
                "migration.vintage_worst",
                lang,
                title=title,
                name=names.get(bold[0], ""),
                value=text.number(worst.max(), "rate", lang),
            )
            if bold
            else title
        )

        def cell(code: str, month: int | None = None) -> dict[str, str]:
            place = {"cohort": cohort, "part": code} if question.by else {"cohort": code}
            return place | ({} if month is None else {"month": str(month)})

        ticks = {month: say("migration.mob", lang, month=month) for month in range(0, 37, 6)}
        figure = change_charts.curves(found, "month", names, ticks, lang, dark=is_dark(), bold=bold)
        chart.show(
            selection,
            "vintage",
            said,
            figure,
            found,
            question.about(by=()),
            ("part", "month"),
            lambda mark: move_drilldown.open_move(cell(mark["part"], int(mark["month"]))),
            draw_table=lambda: _cohort_table(selection, found, names, head, cell),
        )
        boards.caption(
            say(f"migration.vintage_{late}", lang, days=days),
            say(f"migration.vintage_by_{counted}", lang),
            say("migration.vintage_click", lang),
        )
    return asked, cohort


def _cohort_picker(selection: Selection, found: pd.DataFrame) -> str:
    """The year of lending whose parts are drawn: the newest that has been on book for six months, unless picked."""
    reached = found.groupby("cohort")["month"].max()
    grown = reached[reached >= 6]
    first = grown.index.max() if len(grown) else reached.idxmax()
    years = sorted((str(day)[:10] for day in reached.index), reverse=True)
    options = [str(first)[:10], *(day for day in years if day != str(first)[:10])]
    return chart.chooser(
        selection, "year", options, lambda day: day[:4], say("migration.cohort", selection.lang)
    )


def _cohort_table(
    selection: Selection, found: pd.DataFrame, names: Mapping[str, str], head: str, cell
) -> None:
    lang = selection.lang
    wide = found.pivot(index="part", columns="month", values="value").reindex(list(names))
    n = found[found["month"] == 0].set_index("part")["n"].reindex(list(names))
    counts = [
        f"{int(c):,}" + (f" {say('figure.few', lang)}" if c < MIN_GROUP_SIZE else "") for c in n
    ]
    out = pd.DataFrame({head: list(names.values()), "n": counts})
    months = [month for month in wide.columns if month % 3 == 0]
    for month in months:
        out[say("migration.mob", lang, month=month)] = [
            text.number(value, "rate", lang) for value in wide[month]
        ]
    codes = list(names)

    def opens(at: int, column: int) -> dict[str, str]:
        month = months[column - 2] if column > 1 else None
        known = month is not None and not text.is_missing(wide[month].iloc[at])
        return cell(codes[at], month if known else None)

    _table(selection, out, head, "vintage", opens)


def first_payment(selection: Selection, question: Question, cohort: str) -> None:
    """First-payment default by quarter of lending, or by the parts of one split of those lent in the year `cohort`."""
    lang, metric = selection.lang, METRICS["first_payment_default"]
    with boards.guarded_section(selection, metric.id):
        found = queries.cached_analysis(
            cohorts.first_payment, question, "year" if question.by else "quarter"
        )
        if question.by:
            first = cohort or str(found["cohort"].max())[:10]
            found = found[found["cohort"].astype(str).str[:10] == first]
            labels = queries.labels(question.by[0], lang, selection.scheme)
            names = [labels.get(code, code) for code in found["part"]]
            title = say("migration.first_split", lang, cohort=first[:4])
        else:
            names = [
                move_drilldown.period_name(str(day)[:10], "quarter") for day in found["cohort"]
            ]
            title = say("migration.first_title", lang)
        found = found.assign(name=names).reset_index(drop=True)
        judged = found[found["n"] >= MIN_GROUP_SIZE]
        if len(judged):
            top = judged.loc[judged["value"].idxmax()]
            value = text.number(top["value"], "rate", lang)
            title = say("migration.first_worst", lang, title=title, name=top["name"], value=value)
        boards.section_title(title)
        heads = [
            say(f"migration.{name}", lang)
            for name in ("cohort", "value", "missed", "judged", "lent")
        ]
        if question.by:
            heads[0] = queries.dimension_name(question.by[0], lang)
        out = pd.DataFrame(
            [
                (
                    row.name,
                    text.number(row.value, "rate", lang)
                    + (f" {say('figure.few', lang)}" if row.n < MIN_GROUP_SIZE else ""),
                    f"{int(row.numerator):,}",
                    f"{row.n:,}",
                    f"{row.loans:,}",
                )
                for row in found[["name", "value", "numerator", "n", "loans"]].itertuples(
                    index=False
                )
            ],
            columns=heads,
        )

        def opens(at: int, column: int) -> dict[str, str]:
            row = found.iloc[at]
            judged = {1: "missed", 2: "missed", 3: "yes"}.get(column)
            picked = {"cohort": str(row["cohort"])[:10]} | (
                {"part": row["part"]} if question.by else {}
            )
            return picked | ({"judged": judged} if judged else {})

        _table(selection, out, heads[0], "first", opens)
        boards.caption(say("migration.first_note", lang))


def curve(selection: Selection, question: Question) -> Cohorts:
    """How many have borrowed again so many days after settling, by opening tier or another split. Gives what the list
    needs."""
    lang, asked = selection.lang, Cohorts(question, "curve")
    with boards.guarded_section(selection, "reloan_rate_90"):
        found = queries.cached_analysis(cohorts.curve, question)
        names = {
            **(queries.labels(question.by[0], lang, selection.scheme) if question.by else {}),
            cohorts.WHOLE: say("table.total", lang),
        }
        enough = found.summary[found.summary["n"] >= MIN_GROUP_SIZE]
        kept = enough.sort_values("n", ascending=False)["part"].head(LINES)
        points = found.points[found.points["part"].isin(kept) & (found.points["days"] <= 365)]
        whole = found.summary[found.summary["part"] == cohorts.WHOLE].iloc[0]
        ticks = {day: say("reloan.days", lang, days=day) for day in (0, 30, 90, 180, 365)}
        everybody, names = names, {code: name for code, name in names.items() if code in set(kept)}
        figure = change_charts.curves(
            points,
            "days",
            names,
            ticks,
            lang,
            dark=is_dark(),
            bold=(cohorts.WHOLE,),
            small=0,
            stepped=True,
        )
        chart.show(
            selection,
            "curve",
            _window(whole, lang),
            figure,
            points,
            question.about("reloan_rate_90", by=()),
            ("part",),
            lambda mark: move_drilldown.open_move({"part": mark["part"]}),
            draw_table=lambda: _curve_table(selection, found.summary, everybody),
        )
        boards.caption(say("migration.curve_note", lang), say("migration.curve_click", lang))
    return asked


def _window(whole: pd.Series, lang: str) -> str:
    """The win-back window in words."""
    if text.is_missing(whole["half_by"]) or text.is_missing(whole["value_180"]):
        return say("migration.no_window", lang)
    return say(
        "migration.window",
        lang,
        value=text.number(whole["value_180"], "rate", lang),
        half=int(whole["half_by"]),
        most=int(whole["most_by"]),
    )


def _curve_table(selection: Selection, summary: pd.DataFrame, names: Mapping[str, str]) -> None:
    lang = selection.lang
    rows, codes = [], []
    for row in summary.to_dict("records"):
        if row["part"] in names:
            codes.append(row["part"])
            told = {say("words.split_by", lang): names[row["part"]]}
            for window in cohorts.WINDOWS:
                value = row[f"value_{window}"]
                ends = "–".join(
                    text.number(row[f"{end}_{window}"], "rate", lang) for end in ("low", "high")
                )
                known = f"{text.number(value, 'rate', lang)} ({ends})"
                said = say("figure.few", lang) if text.is_missing(value) else known
                told[say("reloan.days", lang, days=window)] = said
            few = f" {say('figure.few', lang)}" if row["n"] < MIN_GROUP_SIZE else ""
            rows.append(
                told | {say("migration.back", lang): f"{row['back']:,}", "n": f"{row['n']:,}{few}"}
            )

    def opens(at: int, column: int) -> dict[str, str]:
        # Columns: the part, one for each window, who came back, who settled.
        return {"part": codes[at]} | ({"back": "yes"} if column == len(cohorts.WINDOWS) + 1 else {})

    _table(selection, pd.DataFrame(rows), say("words.split_by", lang), "curve", opens)


def ahead(selection: Selection, question: Question, by: str, measure: str) -> None:
    """Shares in three and six months with their band, and how right such forecasts were."""
    lang = selection.lang
    with boards.guarded_section(selection, "loans"):
        found = queries.cached_analysis(forecast.forecast, question, by, measure, "standard")
        names = (
            sets()["standard"].labels(lang)
            if by == "bucket"
            else queries.labels("class", lang, question.scheme)
        )
        far = found.ahead[found.ahead["horizon"] == forecast.HORIZONS[-1]]
        far = far.assign(gap=far["share"] - far["share_now"])
        top = far.loc[far["gap"].abs().idxmax()]
        change = text.change(top["gap"], "rate", "neither", lang)
        title = say(
            "migration.ahead_title",
            lang,
            months=int(top["horizon"]),
            name=names[top["state"]],
            change=change.words,
            value=text.number(top["share"], "rate", lang),
        )
        late = found.ahead[found.ahead["state"] != sets()["standard"].codes[0]]
        figure = change_charts.ahead(late, names, forecast.HORIZONS, lang, dark=is_dark())
        chart.show(
            selection,
            "ahead",
            title,
            figure,
            found.ahead,
            question.about(found.unit),
            draw_table=lambda: _ahead_table(selection, found, names),
        )
        for test in found.tests.to_dict("records"):
            boards.caption(_tested(test, lang))
        boards.caption(
            say("migration.ahead_note", lang, months=found.months),
            say("overdue.buckets", lang) if by == "bucket" else "",
        )


def _tested(test: Mapping, lang: str) -> str:
    if not test["forecasts"]:
        return say("migration.untested", lang, months=test["horizon"])
    said = {
        "months": test["horizon"],
        "count": test["forecasts"],
        **{
            name: text.change(test[name], "rate", "neither", lang).words[1:]
            for name in ("error", "error_naive")
        },
    }
    return say("migration.beats" if test["beats"] else "migration.fails", lang, **said)


def _ahead_table(selection: Selection, found, names: Mapping[str, str]) -> None:
    lang = selection.lang
    heads = [
        say(f"migration.{name}", lang)
        for name in ("state", "now", "then", "share", "band", "amount")
    ]
    unit = "money" if found.measure == "balance" else "count"
    out = pd.DataFrame(
        [
            (
                names[row.state],
                text.number(row.share_now, "rate", lang),
                text.month(row.as_of, lang),
                text.number(row.share, "rate", lang),
                f"{text.number(row.low, 'rate', lang)} – {text.number(row.high, 'rate', lang)}",
                text.number(row.amount, unit, lang),
            )
            for row in found.ahead.itertuples()
        ],
        columns=heads,
    )
    _table(selection, out, heads[0])


def _table(
    selection: Selection,
    out: pd.DataFrame,
    alt: str,
    key: str = "",
    opens: Callable[[int, int], dict[str, str]] | None = None,
) -> None:
    """`opens`: row and column of a clicked cell → what its list is asked with."""
    right = {name: st.column_config.Column(alignment="right") for name in list(out)[1:]}
    right[next(iter(out))] = st.column_config.Column(pinned=True)
    more: dict[str, Any] = {"column_config": right, "height": "content", "alt": alt}
    if opens:
        drilldown.clickable_table(
            selection,
            f"{key}_table_{len(out)}",
            out,
            lambda at, column: move_drilldown.open_move(opens(at, list(out).index(column))),
            **more,
        )
    else:
        st.dataframe(out, hide_index=True, **more)


def split_picker(
    selection: Selection, metric: str, none: str, default: str = "none"
) -> tuple[str, ...]:
    """The split of a board with at most one: none, or one that does not change month by month."""
    options = ["none", *change.splits_of(selection, metric)]
    picked = chart.picker(
        selection,
        "split",
        options,
        lambda id: none if id == "none" else queries.dimension_name(id, selection.lang),
        say("words.split_by", selection.lang),
        default,
    )
    return () if picked == "none" else (picked,)
