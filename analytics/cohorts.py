"""Cohorts over time: vintage of loans, first-payment default, and the reloan curve after settling."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import SurvfuncRight

from analytics.build import month_end
from analytics.declared import metric_named, split_named
from analytics.look import SMALL
from analytics.metrics import Question, Writer, check, known
from data.engine import Refused

SQL = Path(__file__).parent / "sql" / "questions"
PERIODS = ("month", "quarter", "year")
DAYS = (0, 30, 60, 90)
WINDOWS = (30, 90, 180, 365)
LATE = ("ever", "now")
WHOLE = "all"


def vintage(
    bank, question: Question, days: int = 30, late: str = "ever", period: str = "quarter"
) -> pd.DataFrame:  # fmt: skip
    """Of the loans disbursed in a period, how many were late by more than `days` when they had been on book m months.

    Columns: cohort (first day), part (code of question.by, or all), month (m), n (loans), numerator (CNY late),
    denominator (CNY disbursed), value, numerator_loans, value_loans (÷ n). `late`: ever, or now. Equal months
    on book only: a cohort goes as far as its youngest loan. Raises Refused as `ask` does, and where no loan was
    disbursed within the records.
    """
    _one_of("late", late, LATE)
    _one_of("days", days, DAYS)
    ever = late == "ever"
    first = "(select cohort, part, loan_key, min(month) as month, arg_min(owed, month) as owed from state group by all)"
    found = _cohorts(bank, question, "vintage", period, {
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

    Raises Refused as `ask` does, also for a bank without schedule and payments.
    """
    return _cohorts(bank, question.about("first_payment_default"), "first_payment_cohorts", period, {}, {})


def _cohorts(bank, question: Question, name: str, period: str, put: dict, given: dict) -> pd.DataFrame:
    _one_of("period", period, PERIODS)
    metric = "first_payment_default" if name.startswith("first") else "loans"
    with bank.lease() as view:
        asked = _asked(view, question, metric)
        months = [day for day in known(view).months if day <= asked.as_of]
        writer = Writer(view, metric_named(metric), asked)
        part = _part(writer, asked)
        params = writer.params
        params |= given | {"until": asked.as_of, "records_from": month_end(months[0], -1)}
        put = put | {
            "period": period, "part": part, "asked": writer.conditions(months),
            "joins": "\n    ".join(writer.joins.values()),
        }  # fmt: skip
        found = view.query(_filled(name, put), None, **params)
    if found.empty:
        raise Refused(
            f"数据不足：{months[0]} 至 {asked.as_of} 之间没有放款。There is no cohort to follow: no loan was disbursed "
            f"from {months[0]} to {asked.as_of}."
        )
    return found


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
    Raises Refused as `ask` does, and where nobody has settled.
    """
    with bank.lease() as view:
        asked = _asked(view, question, "customers")
        back = asked.opening if "class" in asked.by else 0
        months = [day for day in known(view).months if day <= asked.as_of][back:]
        writer = Writer(view, metric_named("customers"), asked)
        part = _part(writer, asked)
        put = {"part": part, "asked": writer.conditions(months), "joins": "\n".join(writer.joins.values())}
        spells = view.query(_filled("reloan_spells", put), None, **writer.params, until=asked.as_of)
    if spells.empty:
        raise Refused(
            f"数据不足：截至 {asked.as_of} 没有客户结清。Nobody has settled by {asked.as_of}: there is no reloan curve."
        )
    points, summary = [], []
    for code, spell in spells.groupby("part", sort=False):
        told, line = followed(spell["days"].to_numpy(), spell["is_back"].to_numpy())
        points.append(told.assign(part=code))
        summary.append({"part": code, **line})
    whole, line = followed(spells["days"].to_numpy(), spells["is_back"].to_numpy())
    if asked.by:
        points.append(whole.assign(part=WHOLE))
        summary.append({"part": WHOLE, **line})
    return Curve(pd.concat(points, ignore_index=True), pd.DataFrame(summary))


def followed(days: np.ndarray, back: np.ndarray) -> tuple[pd.DataFrame, dict]:
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
        reached = followed >= SMALL
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
    points = pd.DataFrame({"days": np.r_[0, times], "value": np.r_[0.0, share], "n": np.r_[len(days), risk]})
    return points.drop_duplicates("days", keep="last"), line


def _asked(view, question: Question, metric: str) -> Question:
    asked = question.about(metric, last=1, compare=None)
    if len(asked.by) > 1:
        raise Refused(f"这里最多按一个维度拆分。Here at most one split can be taken, not {len(asked.by)}.")
    for name in asked.by:
        if name != "class" and split_named(name).of == "month":
            raise Refused(
                f"{name} 每月变化，不能用来划分批次。{name} changes month by month: a cohort cannot be split by it."
            )
    check(view, asked)
    return asked


def _part(writer: Writer, asked: Question) -> str:
    return writer.expression(asked.by[0]) if asked.by else f"'{WHOLE}'"


def _filled(name: str, put: dict[str, str]) -> str:
    text = (SQL / f"{name}.sql").read_text("utf-8")
    for key, sql in put.items():
        text = text.replace("{" + key + "}", sql)
    return text


def _one_of(name: str, value, known_) -> None:
    if value not in known_:
        told = ", ".join(str(one) for one in known_)
        raise Refused(f"{name} 没有取值 {value}。{name} has no value {value!r}. Known: {told}.")

