"""Invented names, identity numbers and telephone numbers that no living person can have."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from faker.providers.person.zh_CN import Provider

SURNAMES = tuple(Provider.last_names)
_SURNAME_SHARE = np.cumsum(np.array(list(Provider.last_names.values()), dtype=float))
_SURNAME_SHARE /= _SURNAME_SHARE[-1]


def _given(words) -> tuple[str, ...]:
    single = [word for word in words if len(word) == 1]
    return tuple(dict.fromkeys([*words, *(a + b for a in single[:30] for b in single if a != b)]))


GIVEN = (_given(Provider.first_names_female), _given(Provider.first_names_male))

_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECK = np.frombuffer(b"10X98765432", dtype=np.uint8)


def draw_names(rng: np.random.Generator, gender: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of surname and given name; `gender` 0 female, 1 male."""
    n = len(gender)
    surname = np.searchsorted(_SURNAME_SHARE, rng.random(n), side="right").clip(
        0, len(SURNAMES) - 1
    )
    drawn = rng.random(n)
    women = len(GIVEN[0])
    given = np.where(gender == 0, drawn * women, women + drawn * len(GIVEN[1]))
    return surname.astype(np.int16), given.astype(np.int16)


def name_texts(surname: np.ndarray, given: np.ndarray, firm: np.ndarray | None = None) -> pa.Array:
    """Chinese names; where `firm` is True a company's name."""
    tail = np.zeros(len(surname), dtype=np.int32) if firm is None else firm.astype(np.int32)
    return pc.binary_join_element_wise(
        pa.array(SURNAMES).take(pa.array(surname)),
        pa.array(GIVEN[0] + GIVEN[1]).take(pa.array(given)),
        pa.array(["", "商贸有限公司"]).take(pa.array(tail)),
        "",
    )


def id_numbers(
    number: np.ndarray, birth: np.ndarray, gender: np.ndarray, valid: np.ndarray
) -> pa.Array:
    """Numbers in the form of GB 11643 with its check character (ISO 7064 MOD 11-2), in area 99.

    No division code begins with 99 (GB/T 2260 ends at 82), so none is anyone's. Unique for 5 million `number`s.
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
    total = digits[:, :17].astype(np.int32) @ _WEIGHTS
    letters = digits + 48
    letters[:, 17] = _CHECK[total % 11]
    offsets = np.arange(n + 1, dtype=np.int32) * np.int32(18)
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(
        pa.string(), n, [bitmap, pa.py_buffer(offsets), pa.py_buffer(letters)]
    )
