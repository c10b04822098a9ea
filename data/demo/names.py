"""Invented names, identity numbers and telephone numbers that no living person can have."""

from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute
from faker.providers.person.zh_CN import Provider

# Faker declares a collection of names; it is a dict of name and frequency.
SURNAME_WEIGHTS: Mapping[str, float] = cast("Mapping[str, float]", Provider.last_names)
SURNAMES = tuple(SURNAME_WEIGHTS)
_SURNAME_LIMITS = np.cumsum(np.array([SURNAME_WEIGHTS[name] for name in SURNAMES], dtype=float))
_SURNAME_LIMITS /= _SURNAME_LIMITS[-1]


def _forenames(words: Iterable[str]) -> tuple[str, ...]:
    words = list(words)
    single = [word for word in words if len(word) == 1]
    pairs = [a + b for a in single[:30] for b in single if a != b]
    return tuple(dict.fromkeys([*words, *pairs]))


FORENAMES = (_forenames(Provider.first_names_female), _forenames(Provider.first_names_male))

_CHECK_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECK = np.frombuffer(b"10X98765432", dtype=np.uint8)


def draw_names(rng: np.random.Generator, gender: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw positions of surnames and forenames; `gender` is 0 for female, 1 for male."""
    n = len(gender)
    surname = np.searchsorted(_SURNAME_LIMITS, rng.random(n), side="right").clip(
        0, len(SURNAMES) - 1
    )
    u = rng.random(n)
    women = len(FORENAMES[0])
    forename = np.where(gender == 0, u * women, women + u * len(FORENAMES[1]))
    return surname.astype(np.int16), forename.astype(np.int16)


def name_texts(
    surname: np.ndarray, forename: np.ndarray, firm: np.ndarray | None = None
) -> pa.Array:
    """Return Chinese names; where `firm` is True a company's name."""
    tail = np.zeros(len(surname), dtype=np.int32) if firm is None else firm.astype(np.int32)
    parts = [
        pa.array(SURNAMES).take(pa.array(surname)),
        pa.array(FORENAMES[0] + FORENAMES[1]).take(pa.array(forename)),
        pa.array(["", "商贸有限公司"]).take(pa.array(tail)),
        pa.scalar(""),
    ]
    return pyarrow.compute.call_function("binary_join_element_wise", parts)


def id_numbers(
    number: np.ndarray, birth: np.ndarray, gender: np.ndarray, valid: np.ndarray
) -> pa.Array:
    """Return numbers in the form of GB 11643 with its check character (ISO 7064 MOD 11-2), in area
    99.

    No division code begins with 99 (GB/T 2260 ends at 82), so none belongs to a person. Unique for
    5 million `number`s.
    """
    n = len(number)
    digits = np.empty((n, 18), dtype=np.uint8)
    dates = birth.astype("datetime64[D]")
    months = dates.astype("datetime64[M]").astype(np.int64)
    years = months // 12 + 1970
    days = (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1
    area = number // 500 % 10_000
    order = number % 500 * 2 + gender
    digits[:, 0:2] = 9
    for first, width, values in (
        (2, 4, area),
        (6, 4, years),
        (10, 2, months % 12 + 1),
        (12, 2, days),
        (14, 3, order),
    ):
        for place in range(width):
            digits[:, first + place] = values // 10 ** (width - 1 - place) % 10
    total = digits[:, :17].astype(np.int32) @ _CHECK_WEIGHTS
    letters = digits + 48
    letters[:, 17] = _CHECK[total % 11]
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(18)
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(
        pa.string(), n, [bitmap, pa.py_buffer(offsets), pa.py_buffer(letters)]
    )
