"""The scheme consumer_five written by hand, from the text of the rules and not from the TOML.

Both readers of the rulebook are compared with it. A fact is a value or None. True, False and None
(unknown) are combined by Kleene's logic in `every` and `some`. Where the text is open we decide, as
declared in the rulebook's head: good education is three-year college or above; a ministry
university's unit is `headquarters`.
"""

from collections.abc import Callable, Sequence
from typing import Any

Answer = bool | None

SCHOOLING = ["primary", "secondary", "college", "bachelor", "master"]
TITLES = ["none", "junior", "middle", "deputy_senior", "senior"]
REGULAR_EMPLOYERS = {
    "state_organ",
    "public_institution",
    "public_school",
    "public_hospital",
    "hospital_2a",
    "known_private_school",
    "premium_enterprise",
    "state_firm",
    "listed_firm",
}

ONE_DOWN = {"one": "two", "two": "three", "three": "four"}


def every(*answers: Answer) -> Answer:
    """Whether all hold: a single False decides, whatever is unknown."""
    if False in answers:
        return False
    return None if None in answers else True


def some(*answers: Answer) -> Answer:
    """Whether one holds: a single True decides, whatever is unknown."""
    if True in answers:
        return True
    return None if None in answers else False


def consumer_five(fact: Callable[[str], Any]) -> str:
    """Return the class code for `fact`, a function from a name to a value or None."""

    def holds(name: str, test: Callable[[Any], bool]) -> Answer:
        value = fact(name)
        return None if value is None or value == "other" else test(value)

    def is_in(name: str, *values: str) -> Answer:
        return holds(name, lambda value: value in values)

    def at_least(name: str, least: float) -> Answer:
        return holds(name, lambda value: value >= least)

    def yes(name: str) -> Answer:
        return holds(name, lambda value: value is True)

    def age_between(low: int, high: int) -> Answer:
        return holds("age", lambda age: low <= age <= high)

    def education_at_least(least: str) -> Answer:
        return holds("education", lambda value: SCHOOLING.index(value) >= SCHOOLING.index(least))

    def title_at_least(least: str) -> Answer:
        return holds("professional_title", lambda value: TITLES.index(value) >= TITLES.index(least))

    barred = some(
        is_in("own_credit_record", "barred"),
        every(yes("is_married"), is_in("spouse_credit_record", "barred")),
        yes("in_arrears_anywhere"),
    )
    if barred is not False:
        return "barred" if barred else "unrated"

    citizen = is_in("citizenship", "cn")
    stranger = is_in("citizenship", "foreign", "hmt")
    stable = yes("has_stable_income")
    educated = education_at_least("college")
    high_units = is_in("employer_tier", "headquarters", "province")
    low_units = is_in("employer_tier", "below_province", "local")
    premium = is_in("employer_kind", "premium_enterprise")
    schools = is_in("employer_kind", "public_school", "known_private_school")
    permanent = yes("is_on_payroll_list")
    self_employed = is_in("employment", "self_employed")
    regular = every(holds("employer_kind", lambda kind: kind in REGULAR_EMPLOYERS), permanent)

    def official(rank: int) -> Answer:
        return some(
            every(is_in("employer_kind", "state_organ", "military"), at_least("rank", rank)),
            every(is_in("employer_kind", "public_institution"), at_least("rank", rank)),
        )

    class_one = every(
        age_between(30, 55),
        citizen,
        educated,
        stable,
        some(
            official(3),
            every(schools, is_in("post", "leader")),
            every(
                is_in("employer_kind", "public_school"),
                is_in("employer_tier", "headquarters"),
                is_in("post", "department_head"),
            ),
            every(
                is_in("employer_kind", "hospital_2a"),
                some(title_at_least("deputy_senior"), is_in("post", "leader", "department_head")),
            ),
            every(
                premium,
                high_units,
                is_in("post", "leader", "senior_manager", "mid_manager", "senior_engineer"),
            ),
            every(premium, low_units, is_in("post", "leader", "senior_manager", "senior_engineer")),
        ),
    )
    class_two = every(
        age_between(25, 55),
        citizen,
        educated,
        stable,
        some(
            official(1),
            every(schools, permanent, title_at_least("middle")),
            every(
                is_in("employer_kind", "public_hospital", "hospital_2a"), title_at_least("middle")
            ),
            every(premium, high_units, permanent, holds("post", lambda post: post != "service")),
            every(premium, low_units, is_in("post", "mid_manager", "engineer")),
        ),
    )
    class_three = every(
        age_between(25, 55),
        citizen,
        educated,
        stable,
        some(
            every(
                regular,
                some(
                    every(education_at_least("bachelor"), at_least("years_with_employer", 2)),
                    education_at_least("master"),
                    holds("licence", lambda licence: licence != "none"),
                ),
            ),
            every(
                self_employed,
                at_least("years_in_business", 10),
                at_least("registered_capital", 1_000_000),
                yes("has_own_premises_here"),
                yes("owns_home_here"),
                yes("business_positive_12m"),
            ),
        ),
    )
    class_four = every(
        age_between(22, 60),
        educated,
        stable,
        some(
            citizen,
            every(
                stranger,
                at_least("years_resident_here", 1),
                yes("has_fixed_home_here"),
                yes("has_fixed_job_here"),
            ),
        ),
        some(
            regular,
            every(
                is_in("employer_kind", "large_mid_firm"),
                permanent,
                yes("employer_cash_positive_2y"),
                yes("employer_owners_clean"),
                at_least("years_payroll", 2),
            ),
            every(
                self_employed,
                at_least("years_in_business", 5),
                yes("owns_home_here"),
                yes("business_positive_6m"),
            ),
        ),
    )
    class_five = every(
        age_between(18, 60),
        stable,
        holds("is_in_illegal_trade", lambda illegal: not illegal),
        some(
            citizen, every(stranger, at_least("years_resident_here", 1), yes("has_fixed_job_here"))
        ),
        some(
            is_in("employment", "employed"), every(self_employed, at_least("years_in_business", 1))
        ),
    )
    classes = [
        ("one", class_one),
        ("two", class_two),
        ("three", class_three),
        ("four", class_four),
        ("five", class_five),
    ]
    return _first_class(classes, is_in("own_credit_record", "substandard"))


def _first_class(classes: Sequence[tuple[str, Answer]], is_substandard: Answer) -> str:
    """Return the first class that holds, one step lower for a substandard credit record."""
    for code, meets in classes:
        if meets is None:
            return "unrated"
        if meets:
            if code not in ONE_DOWN or is_substandard is False:
                return code
            return "unrated" if is_substandard is None else ONE_DOWN[code]
    return "outside"
