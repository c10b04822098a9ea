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
from pages.parts.state.selection import Choice
from pages.parts.widgets import boards, chart, drilldown, matrix, move_drilldown
from pages.parts.widgets.theme import is_dark

LINES = 8
YOUNG = 3


def moves_matrix(here: Choice, asked: Moves, measure: str) -> None:
    """Who moved from which class or bucket to which."""
    lang = here.lang
    with boards.part(here, "loans"):
        frame = queries.analysed(migration.matrix, asked)
        names = move_drilldown.state_names(here, asked)
        outside = {migration.JOINED, migration.MOVED_IN, *migration.EXITS}
        states = [code for code in names if code not in outside]
        matrix.show(here, "matrix", _moved_most(frame, states, names, asked, lang), frame, states, names, measure)


def _moved_most(frame: pd.DataFrame, states, names: Mapping[str, str], asked: Moves, lang: str) -> str:
    """The message: how many stayed where they were, and the most frequent move."""
    inside = frame[frame["before"].isin(states) & frame["after"].isin(states)]
    crossed = inside[inside["before"] != inside["after"]]
    said = {"before": text.month(asked.before, lang), "after": text.month(asked.question.as_of, lang)}
    if inside.empty or crossed.empty:
        return say("migration.nobody", lang, **said)
    top = crossed.loc[crossed["n"].idxmax()]
    return say(
        "migration.title", lang, **said, moved=f"{int(crossed['n'].sum()):,}", all=f"{int(inside['n'].sum()):,}",
        source=names[top["before"]], target=names[top["after"]], n=f"{int(top['n']):,}",
        unit=say("migration.loans" if asked.of_loans else "migration.customers", lang),
    )  # fmt: skip


def rates(here: Choice, question: Question, before: date) -> None:
    """The five regulatory migration rates with both halves."""
    lang = here.lang
    with boards.part(here, "loans"):
        found = queries.analysed(migration.rates, question, before)
        whole = found.iloc[0]
        value = text.number(whole["value"], "rate", lang)
        boards.heading(say("migration.rates_title", lang, value=value, before=text.month(before, lang)))
        columns = ("rate", "value", "moved_down", "net", "opening", "decrease")
        heads = [say(f"migration.{name}", lang) for name in columns]
        out = pd.DataFrame(
            [
                (
                    say(f"migration.rate_{row.rate}", lang),
                    text.number(row.value, "rate", lang) + (f" {say('figure.few', lang)}" if row.n < MIN_GROUP_SIZE else ""),
                    *(text.number(half, "money", lang) for half in (row.numerator, row.denominator)),
                    *(text.number(half, "money", lang) for half in (row.opening, row.decrease)), f"{row.n:,}",
                )
                for row in found.itertuples()
            ],
            columns=[*heads, "n"],
        )  # fmt: skip
        _table(here, out, heads[0], "rates", lambda at, _: {"rate": migration.RATES[at]})
        boards.note(say("migration.rates_note", lang), say("migration.rates_click", lang))


def roll(here: Choice, question: Question, buckets: str) -> None:
    """Stock roll rates over twelve months, where the buckets are a month wide."""
    lang, declared = here.lang, sets()[buckets]
    if not declared.monthly:
        return
    with boards.part(here, "loans"):
        found = queries.analysed(migration.roll_series, question, 12, buckets)
        names = declared.labels(lang)
        steps = {a: f"{names[a]} → {names[b]}" for a, b in pairwise(declared.codes[:-1])}
        last = found[found["as_of"] == found["as_of"].max()].set_index("bucket")
        first = declared.codes[0]
        said = text.number(last["value"].get(first), "rate", lang)
        boards.heading(say("migration.roll_title", lang, step=steps[first], value=said))
        wide = found.pivot(index="bucket", columns="as_of", values="value").reindex(list(steps))
        n = last["n"].reindex(list(steps))
        out = pd.DataFrame({say("migration.step", lang): list(steps.values())})
        for month in wide.columns:
            out[text.month(month, lang, short=True)] = [text.number(value, "rate", lang) for value in wide[month]]
        few = say("figure.few", lang)
        out["n"] = [f"{int(count):,}" + (f" {few}" if count < MIN_GROUP_SIZE else "") for count in n.fillna(0)]
        _table(here, out, say("migration.step", lang))
        boards.note(say("migration.roll_note", lang))


def vintage(here: Choice, question: Question, days: int, late: str, counted: str) -> tuple[Cohorts, str]:
    """Lines of cohorts by month on book, or of the parts of one split within one cohort. Gives what the list needs, and
    that cohort."""
    lang, cohort = here.lang, ""
    head = queries.name_of_split(question.by[0], lang) if question.by else say("migration.cohort", lang)
    asked = Cohorts(question, "vintage", days, late, "year" if question.by else "quarter")
    with boards.part(here, "loans"):
        found = queries.analysed(cohorts.vintage, question, days, late, asked.period)
        if counted == "loans":
            found = found.assign(value=found["value_loans"])
        if question.by:
            cohort = _cohort_picker(here, found)
            names = queries.labels(question.by[0], lang, here.scheme)
            found = found[found["cohort"].astype(str).str[:10] == cohort]
            big = found[found["month"] == 0].sort_values("n", ascending=False)["part"].head(LINES)
            found = found[found["part"].isin(big)]
            title = say("migration.vintage_split", lang, cohort=cohort[:4])
        else:
            # A cohort of less than three months has nothing to show yet.
            grown = found.groupby("cohort")["month"].max()
            old = sorted(grown[grown >= YOUNG].index)[-LINES:]
            names = {str(day)[:10]: move_drilldown.period_name(str(day)[:10], "quarter") for day in old}
            found = found.assign(part=found["cohort"].astype(str).str[:10])
            found = found[found["part"].isin(names)]
            title = say("migration.vintage_title", lang)
        grown = found.groupby("part")["month"].max()
        names = {code: name for code, name in names.items() if code in grown.index}
        enough = found[(found["month"] <= 6) & (found["n"] >= MIN_GROUP_SIZE)]
        worst = enough.groupby("part")["value"].max()
        bold = [worst.idxmax()] if len(worst) and worst.max() > 0 else []
        said = say(
            "migration.vintage_worst", lang, title=title, name=names.get(bold[0], ""),
            value=text.number(worst.max(), "rate", lang),
        ) if bold else title  # fmt: skip

        def cell(code: str, month: int | None = None) -> dict[str, str]:
            place = {"cohort": cohort, "part": code} if question.by else {"cohort": code}
            return place | ({} if month is None else {"month": str(month)})

        ticks = {month: say("migration.mob", lang, month=month) for month in range(0, 37, 6)}
        figure = change_charts.curves(found, "month", names, ticks, lang, dark=is_dark(), bold=bold)
        chart.show(
            here, "vintage", said, figure, found, question.about(by=()), ("part", "month"),
            lambda mark: move_drilldown.open_move(cell(mark["part"], int(mark["month"]))),
            behind=lambda: _cohort_table(here, found, names, head, cell),
        )  # fmt: skip
        boards.note(
            say(f"migration.vintage_{late}", lang, days=days), say(f"migration.vintage_by_{counted}", lang),
            say("migration.vintage_click", lang),
        )  # fmt: skip
    return asked, cohort


def _cohort_picker(here: Choice, found: pd.DataFrame) -> str:
    """The year of lending whose parts are drawn: the newest that has been on book for six months, unless picked."""
    reached = found.groupby("cohort")["month"].max()
    grown = reached[reached >= 6]
    first = grown.index.max() if len(grown) else reached.idxmax()
    years = sorted((str(day)[:10] for day in reached.index), reverse=True)
    options = [str(first)[:10], *(day for day in years if day != str(first)[:10])]
    return chart.chooser(here, "year", options, lambda day: day[:4], say("migration.cohort", here.lang))


def _cohort_table(here: Choice, found: pd.DataFrame, names: Mapping[str, str], head: str, cell) -> None:
    lang = here.lang
    wide = found.pivot(index="part", columns="month", values="value").reindex(list(names))
    n = found[found["month"] == 0].set_index("part")["n"].reindex(list(names))
    counts = [f"{int(c):,}" + (f" {say('figure.few', lang)}" if c < MIN_GROUP_SIZE else "") for c in n]
    out = pd.DataFrame({head: list(names.values()), "n": counts})
    months = [month for month in wide.columns if month % 3 == 0]
    for month in months:
        out[say("migration.mob", lang, month=month)] = [text.number(value, "rate", lang) for value in wide[month]]
    codes = list(names)

    def opens(at: int, column: int) -> dict[str, str]:
        month = months[column - 2] if column > 1 else None
        known = month is not None and not text.is_missing(wide[month].iloc[at])
        return cell(codes[at], month if known else None)

    _table(here, out, head, "vintage", opens)


def first_payment(here: Choice, question: Question, cohort: str) -> None:
    """First-payment default by quarter of lending, or by the parts of one split of those lent in the year `cohort`."""
    lang, metric = here.lang, METRICS["first_payment_default"]
    with boards.part(here, metric.id):
        found = queries.analysed(cohorts.first_payment, question, "year" if question.by else "quarter")
        if question.by:
            first = cohort or str(found["cohort"].max())[:10]
            found = found[found["cohort"].astype(str).str[:10] == first]
            labels = queries.labels(question.by[0], lang, here.scheme)
            names = [labels.get(code, code) for code in found["part"]]
            title = say("migration.first_split", lang, cohort=first[:4])
        else:
            names = [move_drilldown.period_name(str(day)[:10], "quarter") for day in found["cohort"]]
            title = say("migration.first_title", lang)
        found = found.assign(name=names).reset_index(drop=True)
        judged = found[found["n"] >= MIN_GROUP_SIZE]
        if len(judged):
            top = judged.loc[judged["value"].idxmax()]
            value = text.number(top["value"], "rate", lang)
            title = say("migration.first_worst", lang, title=title, name=top["name"], value=value)
        boards.heading(title)
        heads = [say(f"migration.{name}", lang) for name in ("cohort", "value", "missed", "judged", "lent")]
        if question.by:
            heads[0] = queries.name_of_split(question.by[0], lang)
        out = pd.DataFrame(
            [
                (
                    row.name,
                    text.number(row.value, "rate", lang) + (f" {say('figure.few', lang)}" if row.n < MIN_GROUP_SIZE else ""),
                    f"{int(row.numerator):,}", f"{row.n:,}", f"{row.loans:,}",
                )
                for row in found[["name", "value", "numerator", "n", "loans"]].itertuples(index=False)
            ],
            columns=heads,
        )  # fmt: skip

        def opens(at: int, column: int) -> dict[str, str]:
            row = found.iloc[at]
            judged = {1: "missed", 2: "missed", 3: "yes"}.get(column)
            picked = {"cohort": str(row["cohort"])[:10]} | ({"part": row["part"]} if question.by else {})
            return picked | ({"judged": judged} if judged else {})

        _table(here, out, heads[0], "first", opens)
        boards.note(say("migration.first_note", lang))


def curve(here: Choice, question: Question) -> Cohorts:
    """How many have borrowed again so many days after settling, by opening tier or another split. Gives what the list
    needs."""
    lang, asked = here.lang, Cohorts(question, "curve")
    with boards.part(here, "reloan_rate_90"):
        found = queries.analysed(cohorts.curve, question)
        names = {**(queries.labels(question.by[0], lang, here.scheme) if question.by else {}),
                 cohorts.WHOLE: say("table.total", lang)}  # fmt: skip
        enough = found.summary[found.summary["n"] >= MIN_GROUP_SIZE]
        kept = enough.sort_values("n", ascending=False)["part"].head(LINES)
        points = found.points[found.points["part"].isin(kept) & (found.points["days"] <= 365)]
        whole = found.summary[found.summary["part"] == cohorts.WHOLE].iloc[0]
        ticks = {day: say("reloan.days", lang, days=day) for day in (0, 30, 90, 180, 365)}
        everybody, names = names, {code: name for code, name in names.items() if code in set(kept)}
        figure = change_charts.curves(
            points, "days", names, ticks, lang, dark=is_dark(), bold=(cohorts.WHOLE,), small=0, stepped=True
        )
        chart.show(
            here, "curve", _window(whole, lang), figure, points, question.about("reloan_rate_90", by=()), ("part",),
            lambda mark: move_drilldown.open_move({"part": mark["part"]}),
            behind=lambda: _curve_table(here, found.summary, everybody),
        )  # fmt: skip
        boards.note(say("migration.curve_note", lang), say("migration.curve_click", lang))
    return asked


def _window(whole: pd.Series, lang: str) -> str:
    """The win-back window in words."""
    if text.is_missing(whole["half_by"]) or text.is_missing(whole["value_180"]):
        return say("migration.no_window", lang)
    return say(
        "migration.window", lang, value=text.number(whole["value_180"], "rate", lang), half=int(whole["half_by"]),
        most=int(whole["most_by"]),
    )  # fmt: skip


def _curve_table(here: Choice, summary: pd.DataFrame, names: Mapping[str, str]) -> None:
    lang = here.lang
    rows, codes = [], []
    for row in summary.to_dict("records"):
        if row["part"] in names:
            codes.append(row["part"])
            told = {say("words.split_by", lang): names[row["part"]]}
            for window in cohorts.WINDOWS:
                value = row[f"value_{window}"]
                ends = "–".join(text.number(row[f"{end}_{window}"], "rate", lang) for end in ("low", "high"))
                known = f"{text.number(value, 'rate', lang)} ({ends})"
                said = say("figure.few", lang) if text.is_missing(value) else known
                told[say("reloan.days", lang, days=window)] = said
            few = f" {say('figure.few', lang)}" if row["n"] < MIN_GROUP_SIZE else ""
            rows.append(told | {say("migration.back", lang): f"{row['back']:,}", "n": f"{row['n']:,}{few}"})

    def opens(at: int, column: int) -> dict[str, str]:
        # Columns: the part, one for each window, who came back, who settled.
        return {"part": codes[at]} | ({"back": "yes"} if column == len(cohorts.WINDOWS) + 1 else {})

    _table(here, pd.DataFrame(rows), say("words.split_by", lang), "curve", opens)


def ahead(here: Choice, question: Question, by: str, measure: str) -> None:
    """Shares in three and six months with their band, and how right such forecasts were."""
    lang = here.lang
    with boards.part(here, "loans"):
        found = queries.analysed(forecast.forecast, question, by, measure, "standard")
        names = sets()["standard"].labels(lang) if by == "bucket" else queries.labels("class", lang, question.scheme)
        far = found.ahead[found.ahead["horizon"] == forecast.HORIZONS[-1]]
        far = far.assign(gap=far["share"] - far["share_now"])
        top = far.loc[far["gap"].abs().idxmax()]
        change = text.change(top["gap"], "rate", "neither", lang)
        title = say(
            "migration.ahead_title", lang, months=int(top["horizon"]), name=names[top["state"]], change=change.words,
            value=text.number(top["share"], "rate", lang),
        )  # fmt: skip
        late = found.ahead[found.ahead["state"] != sets()["standard"].codes[0]]
        figure = change_charts.ahead(late, names, forecast.HORIZONS, lang, dark=is_dark())
        chart.show(
            here, "ahead", title, figure, found.ahead, question.about(found.unit),
            behind=lambda: _ahead_table(here, found, names),
        )  # fmt: skip
        for test in found.tests.to_dict("records"):
            boards.note(_tested(test, lang))
        boards.note(
            say("migration.ahead_note", lang, months=found.months),
            say("overdue.buckets", lang) if by == "bucket" else "",
        )


def _tested(test: Mapping, lang: str) -> str:
    if not test["forecasts"]:
        return say("migration.untested", lang, months=test["horizon"])
    said = {
        "months": test["horizon"], "count": test["forecasts"],
        **{name: text.change(test[name], "rate", "neither", lang).words[1:] for name in ("error", "error_naive")},
    }  # fmt: skip
    return say("migration.beats" if test["beats"] else "migration.fails", lang, **said)


def _ahead_table(here: Choice, found, names: Mapping[str, str]) -> None:
    lang = here.lang
    heads = [say(f"migration.{name}", lang) for name in ("state", "now", "then", "share", "band", "amount")]
    unit = "money" if found.measure == "balance" else "count"
    out = pd.DataFrame(
        [
            (
                names[row.state], text.number(row.share_now, "rate", lang), text.month(row.as_of, lang),
                text.number(row.share, "rate", lang),
                f"{text.number(row.low, 'rate', lang)} – {text.number(row.high, 'rate', lang)}",
                text.number(row.amount, unit, lang),
            )
            for row in found.ahead.itertuples()
        ],
        columns=heads,
    )  # fmt: skip
    _table(here, out, heads[0])


def _table(
    here: Choice, out: pd.DataFrame, alt: str, key: str = "",
    opens: Callable[[int, int], dict[str, str]] | None = None,
) -> None:  # fmt: skip
    """`opens`: row and column of a clicked cell → what its list is asked with."""
    right = {name: st.column_config.Column(alignment="right") for name in list(out)[1:]}
    right[next(iter(out))] = st.column_config.Column(pinned=True)
    more: dict[str, Any] = {"column_config": right, "height": "content", "alt": alt}
    if opens:
        drilldown.grid(
            here, f"{key}_table_{len(out)}", out,
            lambda at, column: move_drilldown.open_move(opens(at, list(out).index(column))), **more,
        )  # fmt: skip
    else:
        st.dataframe(out, hide_index=True, **more)


def split_picker(here: Choice, metric: str, none: str, default: str = "none") -> tuple[str, ...]:
    """The split of a board with at most one: none, or one that does not change month by month."""
    options = ["none", *change.splits_of(here, metric)]
    picked = chart.picker(
        here, "split", options, lambda id: none if id == "none" else queries.name_of_split(id, here.lang),
        say("words.split_by", here.lang), default,
    )  # fmt: skip
    return () if picked == "none" else (picked,)
