"""What the bank knows of its customers: the attribute columns of the contract, drawn from type and standing."""

import numpy as np
import pyarrow as pa

from data.demo import delivery, names
from data.demo.story import SAVER, STEADY, STRETCHED, TRADER

# Lowest standing (a standard normal scale) of each grade but the last.
GRADE_FLOORS = np.array([1.45, 0.80, 0.25, -0.30, -0.85, -1.40, -2.10])

CODES = {
    name: tuple(column["values"])
    for name, column in delivery.CONTRACT["customer"]["column"].items()
    if column["type"] == "code"
}
_EMPLOYMENT = np.array(
    [  # employed, self_employed, retired, student, unemployed, by type
        [0.97, 0.00, 0.03, 0.00, 0.00],
        [0.62, 0.06, 0.32, 0.00, 0.00],
        [0.82, 0.11, 0.00, 0.03, 0.04],
        [0.00, 1.00, 0.00, 0.00, 0.00],
        [0.64, 0.24, 0.01, 0.00, 0.11],
        [0.52, 0.07, 0.20, 0.11, 0.10],
    ]
)
_EMPLOYERS = np.array(
    [  # the first twelve kinds of employer: good standing, the rest
        [0.11, 0.02, 0.11, 0.08, 0.02, 0.05, 0.04, 0.16, 0.10, 0.07, 0.14, 0.10],
        [0.03, 0.01, 0.04, 0.03, 0.01, 0.01, 0.02, 0.07, 0.07, 0.05, 0.28, 0.38],
    ]
)
_INCOME = np.array([9_800, 12_500, 6_800, 14_000, 5_400, 4_900])
_STABLE = np.array([0.98, 0.96, 0.86, 0.72, 0.50, 0.62])
_OWNERS = np.array(
    [  # branch leader, head of consumer credit, account manager: leading people, esteemed ones, the rest
        [0.78, 0.10, 0.12],
        [0.04, 0.60, 0.36],
        [0.00, 0.02, 0.98],
    ]
)
_ENQUIRIES = np.array([0.4, 0.2, 1.8, 1.0, 4.0, 0.3])


def grade_of(standing: np.ndarray) -> np.ndarray:
    """0 for AAA … 7 for D."""
    return (standing[:, None] < GRADE_FLOORS).sum(axis=1).astype(np.int8)


def score_of(standing: np.ndarray) -> np.ndarray:
    return (600 + 72 * standing).clip(320, 860).astype(np.int16)


def pick(rng, share, rows) -> np.ndarray:
    """For each element of `rows` one draw from `share[row]`, or from `share` itself where it is one-dimensional."""
    limits = np.cumsum(share, axis=-1)
    limits = (limits / limits[..., -1:])[..., :-1].astype(np.float32)
    u = rng.random(len(rows), dtype=np.float32)
    if limits.ndim == 1:
        return np.searchsorted(limits, u, side="right").astype(np.int8)
    picked = np.zeros(len(rows), dtype=np.int8)
    for row in range(len(limits)):
        where = rows == row
        picked[where] = np.searchsorted(limits[row], u[where], side="right")
    return picked


def draw(rng, kind, standing, age, since, end):
    """Plain columns, code columns (positions in CODES) and changing columns of customers; -1 is null."""
    n = len(kind)

    def chance(share):
        return rng.random(n, dtype=np.float32) < share

    def drop(values, share):
        values[chance(share)] = -1
        return values

    def skewed(median, spread):
        return (median * np.exp(spread * rng.standard_normal(n, dtype=np.float32))).astype(
            np.int64
        ) * 100

    good = standing > 0.1
    employment = pick(rng, _EMPLOYMENT, kind)
    employed, self_employed = employment == 0, employment == 1
    employer = pick(rng, _EMPLOYERS, np.where(good, 0, 1).astype(np.int8))
    employer = np.where(employed, employer, np.where(self_employed, 12, 13)).astype(np.int8)
    official = employed & (employer <= 2)
    school_or_hospital = employed & (employer >= 3) & (employer <= 6)
    tier = pick(rng, np.array([0.10, 0.22, 0.30, 0.38]), kind)
    tier[~employed] = -1
    rank = np.where(official, pick(rng, np.array([0.52, 0.20, 0.16, 0.09, 0.03]), kind), 0).astype(
        np.int16
    )
    post = pick(rng, np.array([0.02, 0.05, 0.10, 0.07, 0.14, 0.05, 0.50, 0.07]), kind)
    post[~employed] = -1
    title = np.where(
        school_or_hospital,
        pick(rng, np.array([0.10, 0.34, 0.36, 0.14, 0.06]), kind),
        np.where(employed, pick(rng, np.array([0.80, 0.10, 0.07, 0.02, 0.01]), kind), 0),
    ).astype(np.int8)
    licence = np.where(employed & chance(0.05), 1 + (rng.random(n) * 12), 0).astype(np.int8)
    education = pick(
        rng,
        np.array([[0.01, 0.10, 0.31, 0.45, 0.13], [0.08, 0.38, 0.31, 0.20, 0.03]]),
        np.where(good, 0, 1),
    )
    years_job = np.minimum(rng.exponential(7.5, n), np.maximum(age - 22, 0)).astype(np.int16)
    years_business = np.minimum(rng.exponential(8.0, n), np.maximum(age - 21, 0)).astype(np.int16)
    married = chance(np.clip((age - 22) / 12, 0, 0.82))
    stable = chance(_STABLE[kind]) & (employment != 3) & (employment != 4)
    citizenship = pick(rng, np.array([0.992, 0.005, 0.003]), kind)

    client_kind = np.where(self_employed & chance(0.55), 1, 0).astype(np.int8)
    client_kind[(kind == TRADER) & chance(0.06)] = 2
    client_kind[(kind == TRADER) & chance(0.01)] = 3
    client_kind[chance(0.002)] = 4
    client_kind[chance(0.001)] = 5
    firm = (client_kind == 2) | (client_kind == 3)

    income = skewed(_INCOME[kind] * np.exp(0.12 * standing), 0.38)
    payroll = employed & chance(np.where(kind == STEADY, 0.90, np.where(kind == SAVER, 0.45, 0.06)))
    payroll_since = np.minimum(since + rng.random(n) * 900, end).astype(np.int32)

    leading = (
        (official & (rank >= 3))
        | (((employer == 3) | (employer == 4)) & (post == 0))
        | ((employer == 5) & ((title >= 3) | (post == 0) | (post == 5)))
        | ((employer == 7) & (post >= 0) & (post <= 3) & (tier <= 1))
    )
    esteemed = (
        (official & (rank >= 1))
        | (school_or_hospital & (title >= 2))
        | ((employer == 7) & (tier <= 1))
    )

    weak = np.clip(-standing, 0, 3)
    record = np.zeros(n, dtype=np.int8)
    u = rng.random(n)
    record[u < 0.03 + 0.07 * weak] = 1
    record[u < 0.004 + 0.020 * weak] = 2
    record[u < 0.001 + 0.004 * weak] = 3
    spouse = pick(rng, np.array([0.93, 0.05, 0.014, 0.006]), kind)
    spouse[~married | firm] = -1

    person_only = {
        "gender": (rng.random(n) < 0.52).astype(np.int8),
        "citizenship": citizenship,
        "education": drop(education, 0.02),
        "employment": employment,
        "employer_kind": drop(employer, 0.01),
        "employer_tier": tier,
        "post": post,
        "professional_title": title,
        "licence": licence,
        "spouse_credit_record": spouse,
    }
    codes = {"kind": client_kind}
    for name, values in person_only.items():
        codes[name] = np.where(firm, -1, values).astype(np.int8)
    if_married = married & ~firm
    owns_home = chance(np.clip(0.25 + 0.18 * standing + (age - 30) / 80, 0.03, 0.93))
    plain = {
        "years_resident_here": drop(np.minimum(rng.exponential(16, n), age).astype(np.int16), 0.01),
        "has_fixed_home_here": owns_home | chance(0.72),
        "has_fixed_job_here": (employed | self_employed) & chance(0.93),
        "owns_home_here": owns_home,
        "is_married": married,
        "rank": rank,
        "is_on_payroll_list": employed & chance(np.where(good, 0.90, 0.66)),
        "years_with_employer": np.where(employed, years_job, -1).astype(np.int16),
        "has_stable_income": stable,
        "spouse_monthly_income": np.where(
            if_married & chance(0.85), skewed(_INCOME[kind] * 0.8, 0.45), -1
        ),
        "provident_fund_monthly": np.where(employed & chance(0.85), income // 100 * 12, -1)
        // 100
        * 100,
        "other_debt_monthly": np.where(chance(0.3 + 0.12 * weak), skewed(1_400, 0.6), 0),
        "family_assets": np.where(
            chance(0.9), skewed(_INCOME[kind] * 45 * np.exp(0.4 * standing), 0.7), -1
        ),
        "payroll_since": np.where(payroll, payroll_since, delivery.NEVER).astype(np.int32),
        "wage_account_pledged": rng.random(n, dtype=np.float32),
        "employer_cash_positive_2y": employed & chance(0.78),
        "employer_owners_clean": employed & chance(0.95),
        "years_in_business": np.where(self_employed, years_business, -1).astype(np.int16),
        "registered_capital": np.where(
            self_employed & chance(0.8), skewed(520_000, 0.9) // 100_000 * 100_000, -1
        ),
        "has_own_premises_here": self_employed & chance(0.42),
        "business_positive_12m": self_employed & chance(np.where(kind == STRETCHED, 0.30, 0.74)),
        "business_positive_6m": self_employed & chance(np.where(kind == STRETCHED, 0.42, 0.82)),
        "credit_enquiries_3m": rng.poisson(_ENQUIRIES[kind]).astype(np.int16),
    }
    for name, share in (
        ("is_on_court_list", 0.003),
        ("is_on_blacklist", 0.0025),
        ("is_suspected_fraud", 0.001),
        ("is_suspected_laundering", 0.0006),
        ("is_in_illegal_trade", 0.0004),
        ("is_in_criminal_case", 0.0004),
    ):
        plain[name] = chance(share * (0.3 + weak))
    upper, fourth = classes(plain, codes)
    # class four may have a consumer loan on credit only so
    plain["wage_account_pledged"] = payroll & (
        plain["wage_account_pledged"] < np.where(fourth & ~upper, 0.96, 0.12)
    )
    plain["surname"], plain["given"] = names.draw_names(rng, codes["gender"].clip(0))
    changing = {
        "grade": drop(grade_of(standing), 0.012),
        "score": np.where(chance(0.012), -1, score_of(standing)).astype(np.int16),
        "income": np.where(chance(0.02), -1, income),
        "record": record,
        "arrears_anywhere": chance(0.004 + 0.012 * weak),
    }
    # who looks after whom, as the bank would have it and mostly has; drawn last: all else is as it was without it
    courted = np.where(leading, 0, np.where(esteemed, 1, 2))
    codes["owner_kind"] = drop(pick(rng, _OWNERS, courted), 0.02)
    return plain, codes, changing


def _is(codes, name: str, *values: str) -> np.ndarray:
    return np.isin(codes[name], [CODES[name].index(value) for value in values])


def _from(codes, name: str, value: str) -> np.ndarray:
    return codes[name] >= CODES[name].index(value)


def classes(plain: dict, codes: dict) -> tuple[np.ndarray, np.ndarray]:
    """Who is of the standing of class one to three of scheme consumer_five, and who of class four: roughly, and by all
    but age, payroll and what changes."""
    listed, rank = plain["is_on_payroll_list"], plain["rank"]
    titled = _from(codes, "professional_title", "middle")
    upper = _is(codes, "employer_tier", "headquarters", "province")
    good = plain["has_stable_income"] & _from(codes, "education", "college")
    second = (
        (_is(codes, "employer_kind", "state_organ", "military", "public_institution") & (rank >= 1))
        | (_is(codes, "employer_kind", "public_school", "known_private_school") & listed & titled)
        | (_is(codes, "employer_kind", "public_hospital", "hospital_2a") & titled)
        | (
            _is(codes, "employer_kind", "premium_enterprise")
            & upper
            & listed
            & ~_is(codes, "post", "service")
        )
        | (
            _is(codes, "employer_kind", "premium_enterprise")
            & ~upper
            & _is(codes, "post", "mid_manager", "engineer")
        )
    )
    named = listed & _is(
        codes, "employer_kind", "state_organ", "public_institution", "public_school", "public_hospital", "hospital_2a",
        "known_private_school", "premium_enterprise", "state_firm", "listed_firm",
    )  # fmt: skip
    qualified = (
        (_from(codes, "education", "bachelor") & (plain["years_with_employer"] >= 2))
        | _from(codes, "education", "master")
        | _from(codes, "licence", "cpa")
    )
    firm = _is(codes, "employer_kind", "large_mid_firm") & listed
    firm &= plain["employer_cash_positive_2y"] & plain["employer_owners_clean"]
    return good & _is(codes, "citizenship", "cn") & (second | (named & qualified)), good & (
        named | firm
    )


def columns(people, places, who, valid_from, changed=None) -> dict:
    """The contract's customer rows for the customer indices `who`; `changed` overrides the changing columns."""
    changed = changed or {name: getattr(people, name)[who] for name in CHANGING}
    codes = {name: values[who] for name, values in people.codes.items()}
    plain = {name: values[who] for name, values in people.columns.items()}
    firm = (codes["kind"] == 2) | (codes["kind"] == 3)
    birth = plain.pop("birth_on")
    gender = np.maximum(codes["gender"], 0)
    result = {
        "customer_id": delivery.key("C", who + 1, 8),
        "valid_from": delivery.day(valid_from),
        "id_number": names.id_numbers(who, birth, gender, ~firm),
        # Eleven digits like a mobile number, but mobile numbers begin with 13 to 19.
        "phone": delivery.key("100", (who.astype(np.int64) * 61_803_399 + 17) % 100_000_000, 8),
        "name": names.name_texts(plain.pop("surname"), plain.pop("given"), firm),
        "since_on": delivery.day(people.since[who]),
        "birth_on": delivery.day(birth, ~firm),
        "branch_id": pa.array(places.branch_ids).take(
            pa.array(places.outlet_branch[people.outlet[who]])
        ),
        "manager_id": delivery.key("M", people.manager[who] + 1, 5),
        "credit_grade": delivery.code(changed["grade"], CODES["credit_grade"]),
        "own_credit_record": delivery.code(changed["record"], CODES["own_credit_record"]),
        "in_arrears_anywhere": pa.array(changed["arrears_anywhere"]),
        "credit_score": pa.array(changed["score"], mask=changed["score"] < 0),
        "monthly_income": delivery.money(changed["income"], changed["income"] >= 0),
    }
    for name, positions in codes.items():
        result[name] = delivery.code(positions, CODES[name])
    declared = delivery.CONTRACT["customer"]["column"]
    for name, values in plain.items():
        kind = declared[name]["type"]
        if kind == "money":
            result[name] = delivery.money(values, values >= 0)
        elif kind == "date":
            result[name] = delivery.day(values)
        elif kind == "int":
            result[name] = pa.array(values, mask=values < 0)
        else:
            result[name] = pa.array(values, mask=firm if name in PERSONAL_FLAGS else None)
    return result


CHANGING = ("grade", "score", "income", "record", "arrears_anywhere")
PERSONAL_FLAGS = ("is_married", "has_fixed_home_here", "owns_home_here")
