"""The boards of the migration page: matrix, rates, roll, vintages, reloan curves, forecast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import pandas as pd
import streamlit as st

from analytics.analysis import cohorts, forecast, migration
from analytics.analysis.cohorts import CohortQuery
from analytics.analysis.forecast import Forecast
from analytics.analysis.migration import MigrationQuery
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
from pages.parts.widgets.text import caption, section_title
from pages.parts.widgets.theme import is_dark

LINES = 8
YOUNG = 3


def moves_matrix(selection: Selection, query: MigrationQuery, measure: str) -> None:
    """Draw the migration matrix between classes or buckets."""
    lang = selection.lang
    with boards.guarded_section(selection, "loans"):
        frame = queries.cached_analysis(migration.matrix, query)
        names = move_drilldown.state_names(selection, query)
        outside = {migration.JOINED, migration.MOVED_IN, *migration.EXITS}
        states = [code for code in names if code not in outside]
        matrix.show(
            selection,
            "matrix",
            _largest_moves(frame, states, names, query, lang),
            frame,
            states,
            names,
            measure,
        )


def _largest_moves(
    frame: pd.DataFrame,
    states: Sequence[str],
    names: Mapping[str, str],
    query: MigrationQuery,
    lang: str,
) -> str:
    """Return the title: how many did not move, and the most frequent move."""
    inside = frame[frame["before"].isin(states) & frame["after"].isin(states)]
    crossed = inside[inside["before"] != inside["after"]]
    facts = {
        "before": text.month(query.before, lang),
        "after": text.month(query.question.as_of, lang),
    }
    if inside.empty or crossed.empty:
        return say("migration.nobody", lang, **facts)
    top = crossed.loc[crossed["n"].idxmax()]
    return say(
        "migration.title",
        lang,
        **facts,
        moved=f"{int(crossed['n'].sum()):,}",
        all=f"{int(inside['n'].sum()):,}",
        source=names[top["before"]],
        target=names[top["after"]],
        n=f"{int(top['n']):,}",
        unit=say("migration.loans" if query.of_loans else "migration.customers", lang),
    )


def rates(selection: Selection, question: Question, before: date) -> None:
    """Draw the five regulatory migration rates with numerator and denominator."""
    lang = selection.lang
    with boards.guarded_section(selection, "loans"):
        rates_found = queries.cached_analysis(migration.rates, question, before)
        whole = rates_found.iloc[0]
        value = text.number(whole["value"], "rate", lang)
        section_title(
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
                for row in rates_found.itertuples()
            ],
            columns=[*heads, "n"],
        )
        _table(selection, out, heads[0], "rates", lambda at, _: {"rate": migration.RATES[at]})
        caption(say("migration.rates_note", lang), say("migration.rates_click", lang))


def roll(selection: Selection, question: Question, buckets: str) -> None:
    """Draw stock roll rates over twelve months, where the buckets are a month wide."""
    lang = selection.lang
    declared = sets()[buckets]
    if not declared.monthly:
        return
    with boards.guarded_section(selection, "loans"):
        rolls = queries.cached_analysis(migration.roll_series, question, 12, buckets)
        names = declared.labels(lang)
        steps = {a: f"{names[a]} → {names[b]}" for a, b in pairwise(declared.codes[:-1])}
        last = rolls[rolls["as_of"] == rolls["as_of"].max()].set_index("bucket")
        first = declared.codes[0]
        message = text.number(last["value"].get(first), "rate", lang)
        section_title(say("migration.roll_title", lang, step=steps[first], value=message))
        wide = rolls.pivot(index="bucket", columns="as_of", values="value").reindex(list(steps))
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
        caption(say("migration.roll_note", lang))


def vintage(
    selection: Selection, question: Question, days: int, late: str, counted: str
) -> tuple[CohortQuery, str]:
    """Draw vintage curves; return the query of their lists and the cohort.

    One line per cohort by months on book, or with a dimension one line per part of one cohort.
    """
    lang = selection.lang
    cohort = ""
    head = (
        queries.dimension_name(question.by[0], lang)
        if question.by
        else say("migration.cohort", lang)
    )
    query = CohortQuery(question, "vintage", days, late, "year" if question.by else "quarter")
    with boards.guarded_section(selection, "loans"):
        curves = queries.cached_analysis(cohorts.vintage, question, days, late, query.period)
        if counted == "loans":
            curves = curves.assign(value=curves["value_loans"])
        if question.by:
            cohort = _cohort_picker(selection, curves)
            names = queries.labels(question.by[0], lang, selection.scheme)
            curves = curves[curves["cohort"].astype(str).str[:10] == cohort]
            big = curves[curves["month"] == 0].sort_values("n", ascending=False)["part"].head(LINES)
            curves = curves[curves["part"].isin(big)]
            title = say("migration.vintage_split", lang, cohort=cohort[:4])
        else:
            # A cohort of less than three months has no history yet.
            grown = curves.groupby("cohort")["month"].max()
            old = sorted(grown[grown >= YOUNG].index)[-LINES:]
            names = {
                str(day)[:10]: move_drilldown.period_name(str(day)[:10], "quarter") for day in old
            }
            curves = curves.assign(part=curves["cohort"].astype(str).str[:10])
            curves = curves[curves["part"].isin(names)]
            title = say("migration.vintage_title", lang)
        grown = curves.groupby("part")["month"].max()
        names = {code: name for code, name in names.items() if code in grown.index}
        enough = curves[(curves["month"] <= 6) & (curves["n"] >= MIN_GROUP_SIZE)]
        worst = enough.groupby("part")["value"].max()
        bold = [worst.idxmax()] if len(worst) and worst.max() > 0 else []
        message = (
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
        figure = change_charts.curves(
            curves, "month", names, ticks, lang, dark=is_dark(), bold=bold
        )
        chart.show(
            selection,
            "vintage",
            message,
            figure,
            curves,
            question.about(by=()),
            ("part", "month"),
            lambda mark: move_drilldown.open_move(cell(mark["part"], int(mark["month"]))),
            draw_table=lambda: _cohort_table(selection, curves, names, head, cell),
        )
        caption(
            say(f"migration.vintage_{late}", lang, days=days),
            say(f"migration.vintage_by_{counted}", lang),
            say("migration.vintage_click", lang),
        )
    return query, cohort


def _cohort_picker(selection: Selection, curves: pd.DataFrame) -> str:
    """Draw a choice of the year of origination.

    The default is the newest one that has been on book for six months.
    """
    last_month = curves.groupby("cohort")["month"].max()
    grown = last_month[last_month >= 6]
    first = grown.index.max() if len(grown) else last_month.idxmax()
    years = sorted((str(day)[:10] for day in last_month.index), reverse=True)
    options = [str(first)[:10], *(day for day in years if day != str(first)[:10])]
    return chart.chooser(
        selection, "year", options, lambda day: day[:4], say("migration.cohort", selection.lang)
    )


def _cohort_table(
    selection: Selection,
    curves: pd.DataFrame,
    names: Mapping[str, str],
    head: str,
    cell: Callable[..., dict[str, str]],
) -> None:
    lang = selection.lang
    wide = curves.pivot(index="part", columns="month", values="value").reindex(list(names))
    n = curves[curves["month"] == 0].set_index("part")["n"].reindex(list(names))
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
        has_value = month is not None and not text.is_missing(wide[month].iloc[at])
        return cell(codes[at], month if has_value else None)

    _table(selection, out, head, "vintage", opens)


def first_payment(selection: Selection, question: Question, cohort: str) -> None:
    """Draw first-payment default by quarter of origination.

    With a dimension: by part, of the loans originated in the year `cohort`.
    """
    lang = selection.lang
    metric = METRICS["first_payment_default"]
    with boards.guarded_section(selection, metric.id):
        defaults = queries.cached_analysis(
            cohorts.first_payment, question, "year" if question.by else "quarter"
        )
        if question.by:
            first = cohort or str(defaults["cohort"].max())[:10]
            defaults = defaults[defaults["cohort"].astype(str).str[:10] == first]
            labels = queries.labels(question.by[0], lang, selection.scheme)
            names = [labels.get(code, code) for code in defaults["part"]]
            title = say("migration.first_split", lang, cohort=first[:4])
        else:
            names = [
                move_drilldown.period_name(str(day)[:10], "quarter") for day in defaults["cohort"]
            ]
            title = say("migration.first_title", lang)
        defaults = defaults.assign(name=names).reset_index(drop=True)
        large = defaults[defaults["n"] >= MIN_GROUP_SIZE]
        if len(large):
            top = large.loc[large["value"].idxmax()]
            value = text.number(top["value"], "rate", lang)
            title = say("migration.first_worst", lang, title=title, name=top["name"], value=value)
        section_title(title)
        heads = [
            say(f"migration.{name}", lang)
            for name in ("cohort", "value", "missed", "judged", "lent")
        ]
        if question.by:
            heads[0] = queries.dimension_name(question.by[0], lang)
        rows = [_first_payment_row(row, lang) for row in defaults.to_dict("records")]
        out = pd.DataFrame(rows, columns=heads)

        def opens(at: int, column: int) -> dict[str, str]:
            row = defaults.iloc[at]
            cell = {"cohort": str(row["cohort"])[:10]}
            if question.by:
                cell["part"] = row["part"]
            assessed = {1: "missed", 2: "missed", 3: "yes"}.get(column)
            if assessed:
                cell["judged"] = assessed
            return cell

        _table(selection, out, heads[0], "first", opens)
        caption(say("migration.first_note", lang))


def _first_payment_row(row: dict[str, Any], lang: str) -> tuple[str, ...]:
    """Return name, rate, missed, assessed and originated loans."""
    rate = text.number(row["value"], "rate", lang)
    if row["n"] < MIN_GROUP_SIZE:
        rate += f" {say('figure.few', lang)}"
    return (
        row["name"],
        rate,
        f"{int(row['numerator']):,}",
        f"{row['n']:,}",
        f"{row['loans']:,}",
    )


def curve(selection: Selection, question: Question) -> CohortQuery:
    """Draw the share reborrowing by days since settlement; return the query of its lists."""
    lang = selection.lang
    query = CohortQuery(question, "curve")
    with boards.guarded_section(selection, "reloan_rate_90"):
        result = queries.cached_analysis(cohorts.curve, question)
        names = {
            **(queries.labels(question.by[0], lang, selection.scheme) if question.by else {}),
            cohorts.WHOLE: say("table.total", lang),
        }
        enough = result.summary[result.summary["n"] >= MIN_GROUP_SIZE]
        parts = enough.sort_values("n", ascending=False)["part"].head(LINES)
        points = result.points[result.points["part"].isin(parts) & (result.points["days"] <= 365)]
        whole = result.summary[result.summary["part"] == cohorts.WHOLE].iloc[0]
        ticks = {day: say("reloan.days", lang, days=day) for day in (0, 30, 90, 180, 365)}
        everybody = names
        names = {code: name for code, name in names.items() if code in set(parts)}
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
            draw_table=lambda: _curve_table(selection, result.summary, everybody),
        )
        caption(say("migration.curve_note", lang), say("migration.curve_click", lang))
    return query


def _window(whole: pd.Series, lang: str) -> str:
    """Return the win-back window in words."""
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
    rows = []
    codes = []
    for row in summary.to_dict("records"):
        if row["part"] in names:
            codes.append(row["part"])
            line = {say("words.split_by", lang): names[row["part"]]}
            for window in cohorts.WINDOWS:
                value = row[f"value_{window}"]
                ends = "–".join(
                    text.number(row[f"{end}_{window}"], "rate", lang) for end in ("low", "high")
                )
                interval = f"{text.number(value, 'rate', lang)} ({ends})"
                words = say("figure.few", lang) if text.is_missing(value) else interval
                line[say("reloan.days", lang, days=window)] = words
            few = f" {say('figure.few', lang)}" if row["n"] < MIN_GROUP_SIZE else ""
            rows.append(
                line | {say("migration.back", lang): f"{row['back']:,}", "n": f"{row['n']:,}{few}"}
            )

    def opens(at: int, column: int) -> dict[str, str]:
        # Columns: the part, one per window, those who returned, those who settled.
        return {"part": codes[at]} | ({"back": "yes"} if column == len(cohorts.WINDOWS) + 1 else {})

    _table(selection, pd.DataFrame(rows), say("words.split_by", lang), "curve", opens)


def forecast_board(selection: Selection, question: Question, by: str, measure: str) -> None:
    """Draw the forecast shares in three and six months with bands, and the backtest."""
    lang = selection.lang
    with boards.guarded_section(selection, "loans"):
        result = queries.cached_analysis(forecast.forecast, question, by, measure, "standard")
        names = (
            sets()["standard"].labels(lang)
            if by == "bucket"
            else queries.labels("class", lang, question.scheme)
        )
        far = result.ahead[result.ahead["horizon"] == forecast.HORIZONS[-1]]
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
        late = result.ahead[result.ahead["state"] != sets()["standard"].codes[0]]
        figure = change_charts.ahead(late, names, forecast.HORIZONS, lang, dark=is_dark())
        chart.show(
            selection,
            "ahead",
            title,
            figure,
            result.ahead,
            question.about(result.unit),
            draw_table=lambda: _ahead_table(selection, result, names),
        )
        for test in result.tests.to_dict("records"):
            caption(_backtest(test, lang))
        caption(
            say("migration.ahead_note", lang, months=result.months),
            say("overdue.buckets", lang) if by == "bucket" else "",
        )


def _backtest(test: Mapping, lang: str) -> str:
    if not test["forecasts"]:
        return say("migration.untested", lang, months=test["horizon"])
    facts = {
        "months": test["horizon"],
        "count": test["forecasts"],
        **{
            name: text.change(test[name], "rate", "neither", lang).words[1:]
            for name in ("error", "error_naive")
        },
    }
    return say("migration.beats" if test["beats"] else "migration.fails", lang, **facts)


def _ahead_table(selection: Selection, result: Forecast, names: Mapping[str, str]) -> None:
    lang = selection.lang
    heads = [
        say(f"migration.{name}", lang)
        for name in ("state", "now", "then", "share", "band", "amount")
    ]
    unit = "money" if result.measure == "balance" else "count"
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
            for row in result.ahead.itertuples()
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
    """Draw a table; `opens` maps row and column of a clicked cell to the cell of its list."""
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
    """Draw a choice of one dimension or none."""
    options = ["none", *change.dimensions_of(selection, metric)]
    dimension = chart.picker(
        selection,
        "split",
        options,
        lambda id: none if id == "none" else queries.dimension_name(id, selection.lang),
        say("words.split_by", selection.lang),
        default,
    )
    return () if dimension == "none" else (dimension,)
