"""From a column's declaration to SQL: how a delivered value is read, and its faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from data.contract.formats import DATE_FORMATS
from data.contract.schema import DATE_TYPES, Column, Table
from data.contract.tables import PLAIN_TYPES, enum_type, sql_literal
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
"""Month-end tables: an increment must not change a month that is published."""

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
DECIMALS = {"money": 2, "rate": 6}
EXCEL_ERRORS = ("#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!")
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


Faults = list[tuple[str, str]]
"""(reason, condition under which a row has it)."""


@dataclass(frozen=True)
class Cast:
    """How one column is read, in SQL.

    Parameters
    ----------
    tidy
        The cleaned value, over the raw column; it becomes t_<column>.
    value
        The typed value, over t_<column>; it becomes v_<column>.
    faults
        (reason, condition), over the raw column, t_<column> and v_<column>.
    is_text
        Whether t_<column> is text, which may be one of the words for no value.
    """

    tidy: str
    value: str
    faults: tuple[tuple[str, str], ...]
    is_text: bool


def check_family(file: str, column: Column, family: str) -> None:
    """Raise UserError when a column of this type family cannot hold the contract's type."""
    if _base_family(family) not in FAMILIES[column.type]:
        expected = column.type if column.type != "key" else "key (text)"
        raise UserError("column_type", file=file, column=column.name, got=family, want=expected)


def cast(column: Column, family: str, formats: tuple[str, ...] = DATE_FORMATS) -> Cast:
    """Return how `column` is read from a delivered column of the given type family."""
    value = f"v_{column.name}"
    formats = column.formats or formats
    if _is_read_as_text(column, family):
        tidy, faults = _tidy_text(column, family)
        typed, type_faults = _text(column, formats)
        is_text = True
    else:
        tidy = f'"{column.name}"'
        faults = []
        typed, type_faults = _typed(column, family)
        is_text = False
    faults += type_faults
    if column.required:
        faults.append(("missing", f"{value} is null"))
    low, high = column.limits
    if low is not None:
        faults.append(("below_min", f"{value} < {low}"))
    if high is not None:
        faults.append(("above_max", f"{value} > {high}"))
    return Cast(tidy, typed, tuple(faults), is_text)


def _base_family(family: str) -> str:
    """Return a type family without precision and scale."""
    return family.split("(")[0]


def _is_read_as_text(column: Column, family: str) -> bool:
    base = _base_family(family)
    is_float_as_text = base == "float" and column.type != "number"
    return base == "text" or is_float_as_text or (base == "int" and column.type == "bool")


def _tidy_text(column: Column, family: str) -> tuple[str, Faults]:
    raw = f'"{column.name}"'
    is_text = _base_family(family) == "text"
    source = raw if is_text else f"{raw}::varchar"
    tidy = f"bare({source})"
    if column.type in ("text", "name"):
        tidy = f"unquoted(shown({source}))"
    if column.type == "code":
        codes = ", ".join(sql_literal(code) for code in column.values)
        tidy = f"case when {source} in ({codes}) then {source} else {tidy} end"
    if not is_text:
        return tidy, []
    errors = ", ".join(sql_literal(error) for error in EXCEL_ERRORS)
    return tidy, [
        ("excel_error", f"{raw} like '#ERROR %' or {raw} in ({errors})"),
        ("excel_digits", f"{raw} like '#DIGITS %'"),
    ]


def exact_code(column: Column, text: str) -> str:
    """Return the SQL of the declared code that equals `text`, or null."""
    return f"try_cast({text} as {enum_type(column)})"


def any_case_code(column: Column, text: str) -> str:
    """Return the SQL of the declared code that equals `text` but for case, or null."""
    cases = " ".join(
        f"when {sql_literal(code.lower())} then {sql_literal(code)}" for code in column.values
    )
    return f"try_cast(case lower({text}) {cases} end as {enum_type(column)})"


def _text(column: Column, formats: tuple[str, ...]) -> tuple[str, Faults]:
    """Return the typed value of a cleaned text and the faults of its type."""
    tidy = f"t_{column.name}"
    if column.type in DATE_TYPES:
        return _text_date(column, formats)
    if column.type in ("int", "money", "rate", "number", "bool"):
        return _text_number(column)
    lost_digits = [("scientific_notation", f"lost_in_notation({tidy})")]
    if column.type == "key":
        return tidy, [("not_a_key", f"regexp_matches({tidy}, '[[:cntrl:]]')"), *lost_digits]
    if column.type == "id_number":
        # Excel keeps 15 digits of a number; one in eleven rounded numbers has a valid check digit.
        is_rounded = (
            f"regexp_full_match(v_{column.name}, '[1-9][0-9]{{14}}000') "
            f"and not id_is_sound(v_{column.name})"
        )
        return f"plain_id({tidy})", [*lost_digits, ("excel_digits", is_rounded)]
    if column.type == "phone":
        return f"nullif(plain_phone({tidy}), '')", lost_digits
    if column.type == "code":
        code = f"coalesce({exact_code(column, tidy)}, {any_case_code(column, tidy)}, 'other')"
        return f"case when {tidy} is not null then {code} end", []
    return tidy, [("not_text", f'contains("{column.name}", chr(0))')]


def _text_number(column: Column) -> tuple[str, Faults]:
    tidy = f"t_{column.name}"
    is_lost = f"{tidy} is not null and v_{column.name} is null"
    if column.type == "bool":
        return f"to_bool({tidy})", [("not_a_bool", is_lost)]
    if column.type == "int":
        faults = [("not_an_int", f"not is_int({tidy})"), ("out_of_range", is_lost)]
        return f"to_int({tidy})", faults
    is_rounded = ("scientific_notation", f"has_exponent({tidy}) and not is_number({tidy})")
    if column.type == "number":
        faults = [is_rounded, ("not_a_number", f"not is_number({tidy})")]
        return f"try_cast(plain({tidy}) as double)", faults
    return f"try_cast(plain({tidy}) as {PLAIN_TYPES[column.type]})", [
        is_rounded,
        ("not_a_number", f"not is_number({tidy})"),
        ("too_many_decimals", f"not has_decimals({tidy}, {DECIMALS[column.type]})"),
        ("out_of_range", is_lost),
    ]


def _text_date(column: Column, formats: tuple[str, ...]) -> tuple[str, Faults]:
    tidy = f"t_{column.name}"
    is_lost = f"{tidy} is not null and v_{column.name} is null"
    digits = [str(FORMAT_DIGITS[form]) for form in formats if form in FORMAT_DIGITS]
    # A number of another length would be read as a date with missing digits.
    has_length = (
        f"(not regexp_full_match({tidy}, '[0-9]+') or strlen({tidy}) in ({', '.join(digits) or 0}))"
    )
    is_ambiguous = (
        f"{is_lost} and regexp_full_match({tidy}, "
        "'[0-9]{1,2}[/.-][0-9]{1,2}[/.-]([0-9]{2}|[0-9]{4})')"
    )
    faults = [("ambiguous_date", is_ambiguous)]
    if column.type == "time":
        parsed = _parsed_time(tidy, formats)
        faults.append(("not_a_time", is_lost))
    else:
        parsed = f"try_strptime(day_part({tidy}), {_sql_list(formats)})::date"
        faults.append(("time_in_date", f"{is_lost} and has_time({tidy})"))
        faults.append(("not_a_date", is_lost))
    return f"case when {has_length} then {parsed} end", [*faults, *_date_faults(column)]


def _parsed_time(tidy: str, formats: tuple[str, ...]) -> str:
    """Return the SQL of the calendar day in China of a text with a time of day."""
    stamps = [*(form + clock for form in formats for clock in TIME_FORMATS), *formats]
    has_zone = f"regexp_matches({tidy}, ':[0-9.]+ ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$')"
    return (
        f"case when {has_zone} "
        f"then (try_cast({tidy} as timestamptz) at time zone 'Asia/Shanghai')::date "
        f"else try_strptime({tidy}, {_sql_list(stamps)})::date end"
    )


def _typed(column: Column, family: str) -> tuple[str, Faults]:
    """Return the value of a column that is delivered with a type, and the faults of its type."""
    raw = f"t_{column.name}"
    base = _base_family(family)
    if column.type in DATE_TYPES:
        return _typed_date(column, base)
    if column.type == "number":
        is_no_number = f"isnan({raw}) or isinf({raw})"
        return f"{raw}::double", [("not_a_number", is_no_number)] if base == "float" else []
    is_native = family == NATIVE_FAMILY[column.type] and column.type != "int"
    if column.type == "bool" or is_native:
        return raw, []
    faults: Faults = []
    places = DECIMALS.get(column.type)
    if base == "decimal" and places is not None and _scale(family) > places:
        faults.append(("too_many_decimals", f"{raw} <> round({raw}, {places})"))
    faults.append(("out_of_range", f"{raw} is not null and v_{column.name} is null"))
    return f"try_cast({raw} as {PLAIN_TYPES[column.type]})", faults


def _typed_date(column: Column, base: str) -> tuple[str, Faults]:
    raw = f"t_{column.name}"
    if base == "timestamptz":
        return f"({raw} at time zone 'Asia/Shanghai')::date", _date_faults(column)
    faults: Faults = []
    if base == "timestamp" and column.type != "time":
        faults.append(("time_in_date", f"{raw} <> date_trunc('day', {raw})"))
    return f"{raw}::date", [*faults, *_date_faults(column)]


def _scale(family: str) -> int:
    """Return the decimals of a family such as decimal(18,2)."""
    return int(family.rstrip(")").split(",")[1])


def _date_faults(column: Column) -> Faults:
    """Return the faults of a date: outside 1900 to 2200, or no month end.

    9999-12-31 means an open end; `validation_query` makes it null.
    """
    value = f"v_{column.name}"
    is_outside = (
        f"{value} not between date '1900-01-01' and date '2200-12-31' "
        f"and {value} <> date '9999-12-31'"
    )
    faults = [("date_out_of_range", is_outside)]
    if column.type == "month":
        faults.append(("not_a_month_end", f"last_day({value}) <> {value}"))
    return faults


def _sql_list(texts: Iterable[str]) -> str:
    return f"[{', '.join(sql_literal(text) for text in texts)}]"


def casts(table: Table, families: Mapping[str, str], formats: tuple[str, ...]) -> dict[str, Cast]:
    """Return the casts of the delivered columns of a table."""
    return {
        name: cast(column, families[name], formats)
        for name, column in table.columns.items()
        if name in families
    }
