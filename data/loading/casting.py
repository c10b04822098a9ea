"""From a column's declaration to SQL: how a delivered value is read, and which faults refuse its row.

A relation of delivered rows has `file`, `line`, `problem` and the delivered columns.
`validation_query` turns it into one row per delivered row with v_<column> (typed), k_<column>
(integer key of what it refers to) and `fault` ('column|reason' or null).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data.contract.formats import DATE_FORMATS
from data.contract.schema import Column, Table
from data.contract.tables import EVENT_DATE, PLAIN_TYPES, enum_type, sql_literal
from data.errors import UserError

TIME_FORMATS = (" %H:%M:%S", " %H:%M:%S.%f", " %H:%M", "T%H:%M:%S", "T%H:%M:%S.%f")
FORMAT_DIGITS = {"%Y%m%d": 8, "%y%m%d": 6}

NOT_AFTER_AS_OF = {
    "customer": ("valid_from", "birth_on"),
    "loan": ("disbursed_on", "closed_on", "written_off_on", "sold_on", "restructured_on"),
    "payment": ("paid_at",),
    "loan_snapshot": ("as_of",),
    "deposit_balance": ("as_of",),
    "income": ("booked_on",),
    "application": ("applied_on",),
    "signal": ("raised_on",),
    "action": ("done_on",),
    "survey": ("asked_on",),
}
NOT_BEFORE_DISBURSEMENT = {
    "loan": ("matures_on", "closed_on", "written_off_on", "sold_on", "restructured_on"),
    "instalment": ("due_on",),
    "payment": ("paid_at",),
}
ONLY_NEW = ("loan_snapshot", "deposit_balance")
"""Month-end tables: an increment may not touch a month that is published."""

FAMILIES = {
    "key": ("text",),
    "text": ("text",),
    "code": ("text",),
    "name": ("text",),
    "id_number": ("text",),
    "phone": ("text",),
    "date": ("text", "date", "timestamp"),
    "month": ("text", "date", "timestamp"),
    "time": ("text", "date", "timestamp", "timestamptz"),
    "money": ("text", "int", "decimal", "float"),
    "rate": ("text", "int", "decimal", "float"),
    "int": ("text", "int", "float"),
    "number": ("text", "int", "decimal", "float"),
    "bool": ("text", "bool", "int"),
}
NATIVE_FAMILY = {
    "key": "text",
    "code": "text",
    "date": "date",
    "month": "date",
    "time": "timestamp",
    "money": "decimal(18,2)",
    "rate": "decimal(9,6)",
    "int": "int",
    "number": "float",
    "bool": "bool",
}


@dataclass(frozen=True)
class Cast:
    """SQL: `tidy` over the raw column, made t_<column>; `value` over t_; `faults` (reason, condition) over raw, t_, v_.

    A text is null where, tidied, it is one of the agreed words for nothing; `is_text` says that this must be looked at.
    """

    tidy: str
    value: str
    faults: tuple[tuple[str, str], ...]
    is_text: bool


def check_family(file: str, column: Column, family: str) -> None:
    """Refused where a typed column cannot hold what the contract wants of it."""
    if family.split("(")[0] not in FAMILIES[column.type]:
        want = column.type if column.type != "key" else "key (text)"
        raise UserError("column_type", file=file, column=column.name, got=family, want=want)


def cast(column: Column, family: str, formats: tuple[str, ...] = DATE_FORMATS) -> Cast:
    """How `column` is read from a delivered column of the given type family."""
    name, kind = column.name, column.type
    raw, tidy, value = f'"{name}"', f"t_{name}", f"v_{name}"
    plain = family.split("(")[0]
    as_text = (
        plain == "text"
        or (plain == "float" and kind != "number")
        or (plain == "int" and kind == "bool")
    )
    faults: list[tuple[str, str]] = []
    if as_text:
        source = raw if plain == "text" else f"{raw}::varchar"
        tool = "shown" if kind in ("text", "name") else "clean"
        made = f"{tool}({source})"
        if kind == "code":
            codes = ", ".join(sql_literal(code) for code in column.values)
            made = f"case when {source} in ({codes}) then {source} else {made} end"
        if plain == "text":
            faults.append(
                (
                    "excel_error",
                    f"{raw} like '#ERROR %' or {raw} in ('#REF!', '#VALUE!', '#DIV/0!', '#NAME?', '#NUM!')",
                )
            )
            faults.append(("excel_digits", f"{raw} like '#DIGITS %'"))
    else:
        made = raw
    formats = column.formats or formats
    got, wrong = (
        _typed(column, plain, family, tidy, value, formats)
        if not as_text
        else _text(column, raw, tidy, value, formats)
    )
    faults += wrong
    if column.required:
        faults.append(("missing", f"{value} is null"))
    low, high = column.limits
    if low is not None:
        faults.append(("below_min", f"{value} < {low}"))
    if high is not None:
        faults.append(("above_max", f"{value} > {high}"))
    return Cast(made, got, tuple(faults), as_text)


def exact_code(column: Column, word: str) -> str:
    """SQL: the declared value that equals `word`, or null."""
    return f"try_cast({word} as {enum_type(column)})"


def any_case_code(column: Column, word: str) -> str:
    """SQL: the declared value that equals `word` but for case, or null."""
    cases = " ".join(
        f"when {sql_literal(value.lower())} then {sql_literal(value)}" for value in column.values
    )
    return f"try_cast(case lower({word}) {cases} end as {enum_type(column)})"


def _text(
    column: Column, raw: str, tidy: str, value: str, formats: tuple[str, ...]
) -> tuple[str, list]:
    kind = column.type
    if kind == "key":
        return tidy, [("not_a_key", f"regexp_matches({tidy}, '[[:cntrl:]]')")]
    if kind in ("text", "name"):
        return tidy, [("not_text", f"contains({raw}, chr(0))")]
    if kind == "id_number":
        return f"plain_id({tidy})", []
    if kind == "phone":
        return f"nullif(plain_phone({tidy}), '')", []
    if kind == "code":
        return (
            f"case when {tidy} is not null then coalesce({exact_code(column, tidy)}, "
            f"{any_case_code(column, tidy)}, 'other') end",
            [],
        )
    if kind == "bool":
        return f"to_bool({tidy})", [("not_a_bool", f"{tidy} is not null and {value} is null")]
    if kind == "int":
        return f"to_int({tidy})", [
            ("not_an_int", f"not is_int({tidy})"),
            ("out_of_range", f"{tidy} is not null and {value} is null"),
        ]
    if kind in ("money", "rate"):
        return f"try_cast(plain({tidy}) as {PLAIN_TYPES[kind]})", [
            ("not_a_number", f"not is_number({tidy})"),
            ("too_many_decimals", f"not has_decimals({tidy}, {2 if kind == 'money' else 6})"),
            ("out_of_range", f"{tidy} is not null and {value} is null"),
        ]
    if kind == "number":
        return f"try_cast(plain({tidy}) as double)", [("not_a_number", f"not is_number({tidy})")]
    return _text_date(column, tidy, value, formats)


def _text_date(column: Column, tidy: str, value: str, formats: tuple[str, ...]) -> tuple[str, list]:
    lengths = (
        ", ".join(str(FORMAT_DIGITS[form]) for form in formats if form in FORMAT_DIGITS) or "0"
    )
    sound = f"(not regexp_full_match({tidy}, '[0-9]+') or strlen({tidy}) in ({lengths}))"
    if column.type == "time":
        stamps = [*(form + clock for form in formats for clock in TIME_FORMATS), *formats]
        zone = f"regexp_matches({tidy}, ':[0-9.]+ ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$')"
        parsed = (
            f"case when {zone} then (try_cast({tidy} as timestamptz) at time zone 'Asia/Shanghai')::date "
            f"else try_strptime({tidy}, {_list(stamps)})::date end"
        )
        reason = "not_a_time"
    else:
        parsed, reason = f"try_strptime(day_part({tidy}), {_list(formats)})::date", "not_a_date"
    got = f"case when {sound} then {parsed} end"
    wrong = f"{tidy} is not null and {value} is null"
    faults = [
        (
            "ambiguous_date",
            f"{wrong} and regexp_full_match({tidy}, '[0-9]{{1,2}}[/.-][0-9]{{1,2}}[/.-]([0-9]{{2}}|[0-9]{{4}})')",
        ),
        *([("time_in_date", f"{wrong} and has_time({tidy})")] if column.type != "time" else []),
        (reason, wrong),
        *_range(column, value),
    ]
    return got, faults


def _typed(
    column: Column, plain: str, family: str, tidy: str, value: str, formats: tuple[str, ...]
) -> tuple[str, list]:
    kind = column.type
    if kind in ("date", "month", "time"):
        if plain == "timestamptz":
            return f"({tidy} at time zone 'Asia/Shanghai')::date", _range(column, value)
        faults = (
            [("time_in_date", f"{tidy} <> date_trunc('day', {tidy})")]
            if plain == "timestamp" and kind != "time"
            else []
        )
        return f"{tidy}::date", [*faults, *_range(column, value)]
    if kind == "number":
        faults = [("not_a_number", f"isnan({tidy}) or isinf({tidy})")] if plain == "float" else []
        return f"{tidy}::double", faults
    if kind == "bool":
        return tidy, []
    to = "integer" if kind == "int" else PLAIN_TYPES[kind]
    if family == NATIVE_FAMILY[kind] and kind != "int":
        return tidy, []
    faults = [("out_of_range", f"{tidy} is not null and {value} is null")]
    places = {"money": 2, "rate": 6}.get(kind)
    if plain == "decimal" and places is not None and int(family.rstrip(")").split(",")[1]) > places:
        faults.insert(0, ("too_many_decimals", f"{tidy} <> round({tidy}, {places})"))
    return f"try_cast({tidy} as {to})", faults


def _range(column: Column, value: str) -> list:
    """9999-12-31 means open and is made null by `validation_query`; every other date outside 1900–2200 is refused."""
    faults = [
        (
            "date_out_of_range",
            f"{value} not between date '1900-01-01' and date '2200-12-31' and {value} <> date '9999-12-31'",
        )
    ]
    if column.type == "month":
        faults.append(("not_a_month_end", f"last_day({value}) <> {value}"))
    return faults


def _list(words) -> str:
    return f"[{', '.join(sql_literal(word) for word in words)}]"


def casts(table: Table, families: Mapping[str, str], formats: tuple[str, ...]) -> dict[str, Cast]:
    """The casts of every delivered column of the table."""
    return {
        name: cast(column, families[name], formats)
        for name, column in table.columns.items()
        if name in families
    }


def validation_query(
    table: Table,
    relation: str,
    families: Mapping[str, str],
    formats: tuple[str, ...],
    *,
    linked: bool = True,
) -> str:
    """The SELECT that reads, casts, links and judges every row of `relation`. Parameters: nulls, as_of, last_as_of.

    linked  join customer_ref (customer_id, customer_key), loan_ref (loan_id, loan_key, disbursed_on) and the
    dimensions'
            <name>_ref tables for the columns that refer to them; False for a source's raw files and for numbering.
    """
    rules = casts(table, families, formats)
    tidied = ", ".join(f"{rule.tidy} as t_{name}" for name, rule in rules.items())
    void = [
        f"case when strlen(t_{name}) > $longest_null or not list_contains($nulls, lower(t_{name})) then "
        f"t_{name} end as t_{name}"
        for name, rule in rules.items()
        if rule.is_text
    ]
    values = []
    for name, column in table.columns.items():
        if name in rules:
            values.append(f"{rules[name].value} as v_{name}")
        else:
            kind = (
                enum_type(column)
                if column.type == "code"
                else PLAIN_TYPES.get(column.type, "varchar")
            )
            values.append(f"null::{kind} as v_{name}")
    joins, keys = [], []
    if linked:
        for name, column in table.columns.items():
            to = "loan" if name == "rollover_of" else column.refers
            if to and table.name not in ("branch", to):
                alias = f"ref_{name}"
                joins.append(f"left join {to}_ref as {alias} on {alias}.{to}_id = typed.v_{name}")
                keys.append(f"{alias}.{to}_key as k_{name}")
                if to == "loan" and name == "loan_id":
                    keys.append(f"{alias}.disbursed_on as loan_disbursed_on")
    faults = _faults(table, rules, linked)
    open_dates = [
        name
        for name, column in table.columns.items()
        if column.type in ("date", "month", "time") and name in rules
    ]
    opened = ", ".join(f"nullif(v_{name}, date '9999-12-31') as v_{name}" for name in open_dates)
    return f"""
with
tidied as (select *, {tidied} from {relation}),
nullified as materialized (select * {f"replace ({', '.join(void)})" if void else ""} from tidied),
typed as materialized (select *, {", ".join(values)} from nullified),
linked as (select typed.*{"".join(f", {key}" for key in keys)} from typed {" ".join(joins)}),
validated as materialized (select *, case {faults} end as fault from linked)
select * {f"replace ({opened})" if opened else ""} from validated"""


def _faults(table: Table, rules: Mapping[str, Cast], linked: bool) -> str:
    cases = ["when problem is not null then '|' || problem"]
    for name, rule in rules.items():
        cases += [f"when {condition} then '{name}|{reason}'" for reason, condition in rule.faults]
    if linked:
        cases += [
            f"when {condition} then '{name}|{reason}'"
            for name, reason, condition in relations(table, rules)
        ]
    return "\n".join(cases)


def relations(table: Table, present: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """(column, reason, condition) of what a row must hold beside its own values."""
    found = []
    for name in NOT_AFTER_AS_OF.get(table.name, ()):
        if name in present:
            found.append(
                (name, "after_as_of", f"v_{name} > $as_of and v_{name} <> date '9999-12-31'")
            )
    for name in NOT_BEFORE_DISBURSEMENT.get(table.name, ()):
        if name in present:
            start = "v_disbursed_on" if table.name == "loan" else "loan_disbursed_on"
            found.append((name, "before_disbursement", f"v_{name} < {start}"))
    if table.name in ONLY_NEW:
        name = EVENT_DATE[table.name]
        found.append((name, "before_last_as_of", f"v_{name} <= $last_as_of"))
    for name, column in table.columns.items():
        if (
            column.refers in ("customer", "loan")
            and name in present
            and table.name != column.refers
        ):
            found.append((name, "orphan", f"v_{name} is not null and k_{name} is null"))
    return found


def shown_value(table: Table, families: Mapping[str, str]) -> str:
    """SQL: the refused row's faulty value, masked where it is personal, at most 60 characters."""
    cases = []
    for name, column in table.columns.items():
        if name in families:
            masks = {"name": "masked_name", "id_number": "masked_id", "phone": "masked_phone"}
            text = f'"{name}"::varchar'
            made = (
                f"{masks[column.type]}({text})"
                if column.is_personal
                else f"left(shown({text}), 60)"
            )
            cases.append(f"when '{name}' then {made}")
    return f"case split_part(fault, '|', 1) {' '.join(cases)} end" if cases else "null"
