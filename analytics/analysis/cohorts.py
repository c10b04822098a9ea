"""Cohorts over time: vintage of loans, first-payment default, and the reloan curve after settling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import SurvfuncRight

from analytics.metrics.definitions import MIN_GROUP_SIZE, dimension_named, metric_named
from analytics.metrics.edition_metadata import metadata
from analytics.metrics.query import Question, check
from analytics.metrics.sql_builder import SqlBuilder
from analytics.sql.templates import load
from data.dates import month_end
from data.errors import UserError

PERIODS = ("month", "quarter", "year")
DAYS = (0, 30, 60, 90)
WINDOWS = (30, 90, 180, 365)
LATE = ("ever", "now")
WHOLE = "all"
_IS_LATE = "((fact.balance > 0 and fact.days_past_due > $days) or fact.balance_written_off > 0)"


def vintage(
    bank, question: Question, days: int = 30, late: str = "ever", period: str = "quarter"
) -> pd.DataFrame:  # fmt: skip
    """Of the loans disbursed in a period, how many were late by more than `days` when they had been on book m months.

    Columns: cohort (first day), part (code of question.by, or all), month (m), n (loans), numerator (CNY late),
    denominator (CNY disbursed), value, numerator_loans, value_loans (÷ n). `late`: ever, or now. Equal months
    on book only: a cohort goes as far as its youngest loan. Raises UserError as `ask` does, and where no loan was
    disbursed within the records.
    """
    _one_of("late", late, LATE)
    _one_of("days", days, DAYS)
    ever = late == "ever"
    first = "(select cohort, part, loan_key, min(month) as month, arg_min(owed, month) as owed from state group by all)"
    found = _cohorts(bank, question, "vintage", period, {
        "is_late": _IS_LATE,
        "late": first if ever else "state",
        "sum_loans": "sum(counted.loans) over life" if ever else "counted.loans",
        "sum_owed": "sum(counted.owed) over life" if ever else "counted.owed",
        "window": "window life as (partition by grid.cohort, grid.part order by grid.month)" if ever else "",
    }, {"days": days})  # fmt: skip
    return found.assign(
        value=found["numerator"] / found["denominator"].where(found["denominator"] > 0),
        value_loans=found["numerator_loans"] / found["n"],
    )


def first_payment(bank, question: Question, period: str = "month") -> pd.DataFrame:
    """First-payment default by disbursement cohort: cohort, part, n (judged), loans (all), numerator,
    denominator, value.

    Raises UserError as `ask` does, also for a bank without schedule and payments.
    """
    return _cohorts(
        bank, question.about("first_payment_default"), "first_payment_cohorts", period, {}, {}
    )


def _cohorts(
    bank, question: Question, name: str, period: str, put: dict, given: dict
) -> pd.DataFrame:
    metric = "first_payment_default" if name.startswith("first") else "loans"
    with bank.session() as view:
        base, params, months = _base(view, question, metric, period)
        steps = [
            base,
            *([load("questions/first_payment_outcomes").rstrip()] if metric != "loans" else []),
            load(f"questions/{name}", **put),
        ]
        found = view.query(",\n\n".join(steps), None, **params, **given, until=question.as_of)
    if found.empty:
        raise UserError("no_disbursements", first=months[0], as_of=question.as_of)
    return found


def _base(view, question: Question, metric: str, period: str) -> tuple[str, dict, list]:
    """The step `cohort` with its values, and the months of the records."""
    _one_of("period", period, PERIODS)
    asked = _asked(view, question, metric)
    months = [day for day in metadata(view).months if day <= asked.as_of]
    writer = SqlBuilder(view, metric_named(metric), asked)
    put = {
        "period": period, "part": _part(writer, asked), "asked": writer.conditions(months),
        "joins": "\n    ".join(writer.joins.values()),
    }  # fmt: skip
    return (
        load("questions/cohort", **put).rstrip(),
        writer.params | {"records_from": month_end(months[0], -1)},
        months,
    )


@dataclass(frozen=True)
class CohortQuery:
    """What a table of cohorts is made of, so that a cell of it opens. `kind`: vintage, first or curve."""

    question: Question
    kind: str = "vintage"
    days: int = 30
    late: str = "ever"
    period: str = "quarter"


# What a cell of each kind may name, and of those what it need not.
_CELLS = {
    "vintage": ("cohort", "part", "month"),
    "first": ("cohort", "part", "judged"),
    "curve": ("part", "back"),
}
JUDGED = {"yes": "is_missed is not null", "missed": "is_missed"}


def list_rows(
    bank, asked: CohortQuery, picked: Mapping[str, str], limit: int = 200, offset: int = 0
) -> pd.DataFrame:
    """The loans of a cohort {cohort: first day, part: code}, masked. Of a vintage with month: those late by it (ever)
    or at it (now); of first payments with judged: yes, or missed. Of a curve {part: code} the customers who settled, a
    row a settlement; with back: yes those who had come back by the day asked for.

    Raises UserError for a cell that is not known.
    """
    with bank.session() as view:
        text, params = _picked(view, asked, picked)
        lines = load("questions/settled_list" if asked.kind == "curve" else "questions/cohort_list")
        return view.query(
            f"{text},\n\n{lines}",
            None,
            **params,
            until=asked.question.as_of,
            limit=limit,
            offset=offset,
        )


def count_rows(bank, asked: CohortQuery, picked: Mapping[str, str]) -> int:
    """Return the number of rows that `list_rows` gives without a limit."""
    with bank.session() as view:
        text, params = _picked(view, asked, picked)
        if "$until" in text:
            params = params | {"until": asked.question.as_of}
        return int(view.one(f"{text}\nselect count(*) from picked", None, **params)[0])


def _picked(view, asked: CohortQuery, picked: Mapping[str, str]) -> tuple[str, dict]:
    """The text up to and with the step `picked`, and its values."""
    _one_of("kind", asked.kind, _CELLS)
    if unknown := set(picked) - set(_CELLS[asked.kind]):
        raise UserError("unknown_cohort_cell", unknown=min(unknown), kind=asked.kind)
    tests = []
    if asked.kind == "curve":
        spells, params = _spells(view, asked.question)
        text = f"with\n\nspells as (\n{spells}\n)"
        source = "spells"
        if picked.get("back"):
            tests.append("is_back = 1")
        given = {"part": picked["part"]} if picked.get("part", WHOLE) != WHOLE else {}
    else:
        metric = "first_payment_default" if asked.kind == "first" else "loans"
        text, params, _ = _base(view, asked.question, metric, asked.period)
        source = "cohort"
        given = {name: picked[name] for name in ("cohort", "part") if name in picked}
        if "cohort" in given:
            given["cohort"] = _day(given["cohort"])
    if "month" in picked:
        _one_of("late", asked.late, LATE)
        _one_of("days", asked.days, DAYS)
        params |= {"days": asked.days, "month": _number(picked["month"])}
        by = "<=" if asked.late == "ever" else "="
        tests.append(
            f"loan_key in (select loan_key from loan_month as fact where fact.as_of <= $until\n        and {_IS_LATE}"
            f" and fact.months_on_book {by} $month)"
        )
    if "judged" in picked:
        _one_of("judged", picked["judged"], JUDGED)
        text += f",\n\n{load('questions/first_payment_outcomes').rstrip()}"
        tests.append(f"loan_key in (select loan_key from judged where {JUDGED[picked['judged']]})")
    tests += [f"{name} = ${name}" for name in given]
    where = "\n        and ".join(tests) or "true"
    return (
        f"{text},\n\npicked as (\n    select *\n    from {source}\n    where {where}\n)",
        params | given,
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError("cohort_not_a_date", text_=text) from None


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UserError("month_on_book_not_a_number", text_=text)
    return int(text)


@dataclass(frozen=True)
class Curve:
    """Reloan curves. points: part, days (since settling), value (share back by then, 1 − Kaplan–Meier), n
    (still followed).

    summary  part, n (settlements), back (of them), value_30 … value_365 with low_ and high_ (95 %, Greenwood)
             and n_ (at risk); gaps where nobody, or fewer than 30, were followed so long; half_by, most_by:
             days in which half and nine tenths of those back within 180 days had come
    """

    points: pd.DataFrame
    summary: pd.DataFrame


def curve(bank, question: Question) -> Curve:
    """Days from settling the last loan to the next one, cut off at question.as_of, by question.by (one split or none).

    Kaplan and Meier (1958) by statsmodels. A tier is that of `opening` months before the month end after settling.
    Raises UserError as `ask` does, and where nobody has settled.
    """
    with bank.session() as view:
        text, params = _spells(view, question)
        spells = view.query(f"{text}\norder by part, days", None, **params, until=question.as_of)
        followable = "instalment" in metadata(view).filled
    if spells.empty and not followable:
        raise UserError("needs_payment_history")
    if spells.empty:
        raise UserError("no_settlements", as_of=question.as_of)
    points, summary = [], []
    for code, spell in spells.groupby("part", sort=False):
        told, line = survival_curve(spell["days"].to_numpy(), spell["is_back"].to_numpy())
        points.append(told.assign(part=code))
        summary.append({"part": code, **line})
    whole, line = survival_curve(spells["days"].to_numpy(), spells["is_back"].to_numpy())
    if question.by:
        points.append(whole.assign(part=WHOLE))
        summary.append({"part": WHOLE, **line})
    return Curve(pd.concat(points, ignore_index=True), pd.DataFrame(summary))


def _spells(view, question: Question) -> tuple[str, dict]:
    """The settlements, each with its part and its days; values but for `until`."""
    asked = _asked(view, question, "customers")
    back = asked.opening if "class" in asked.by else 0
    months = [day for day in metadata(view).months if day <= asked.as_of][back:]
    writer = SqlBuilder(view, metric_named("customers"), asked)
    put = {
        "part": _part(writer, asked),
        "asked": writer.conditions(months),
        "joins": "\n".join(writer.joins.values()),
    }
    return load("questions/reloan_spells", **put).rstrip(), writer.params


def survival_curve(days: np.ndarray, back: np.ndarray) -> tuple[pd.DataFrame, dict]:
    """One curve: `days` of each spell, `back` 1 where it ended with a loan, 0 where it was cut off → the points and the
    line of the summary of `Curve`."""
    line: dict[str, float] = {"n": len(days), "back": int(back.sum())}
    if back.any():
        told = SurvfuncRight(days, back)
        times, share = np.asarray(told.surv_times), 1 - np.asarray(told.surv_prob)
        width = 1.959963984540054 * np.asarray(told.surv_prob_se)
    else:
        times, share, width = np.array([]), np.array([]), np.array([])
    ordered = np.sort(days)
    risk = len(days) - np.searchsorted(ordered, times, side="left")
    for window in WINDOWS:
        followed = len(days) - int(np.searchsorted(ordered, window, side="left"))
        reached = followed >= MIN_GROUP_SIZE
        at = int(np.searchsorted(times, window, side="right")) - 1
        value, half = (share[at], width[at]) if at >= 0 else (0.0, 0.0)
        line |= {
            f"value_{window}": value if reached else np.nan,
            f"low_{window}": max(0.0, value - half) if reached else np.nan,
            f"high_{window}": min(1.0, value + half) if reached else np.nan,
            f"n_{window}": followed,
        }
    for name, part in (("half_by", 0.5), ("most_by", 0.9)):
        goal = line["value_180"] * part
        line[name] = float(times[np.argmax(share >= goal)]) if goal > 0 else np.nan
    points = pd.DataFrame(
        {"days": np.r_[0, times], "value": np.r_[0.0, share], "n": np.r_[len(days), risk]}
    )
    return points.drop_duplicates("days", keep="last"), line


def _asked(view, question: Question, metric: str) -> Question:
    asked = question.about(metric, last=1, compare=None)
    if len(asked.by) > 1:
        raise UserError("too_many_dimensions", count_by=len(asked.by))
    for name in asked.by:
        if name != "class" and dimension_named(name).of == "month":
            raise UserError("dimension_changes_monthly", name=name)
    check(view, asked)
    return asked


def _part(writer: SqlBuilder, asked: Question) -> str:
    return writer.expression(asked.by[0]) if asked.by else f"'{WHOLE}'"


def _one_of(name: str, value, known_) -> None:
    if value not in known_:
        told = ", ".join(str(one) for one in known_)
        raise UserError("unknown_option", name=name, value=value, told=told)
