"""The two demo banks that the tests of this folder read."""

import pytest

from data import demo
from tests.demo.delivered_bank import SEED, DeliveredBank


@pytest.fixture(scope="package")
def small(tmp_path_factory: pytest.TempPathFactory) -> DeliveredBank:
    """Return 2,000 customers and 14 months."""
    folder = tmp_path_factory.mktemp("small")
    demo.write(folder, 2_000, 14, SEED)
    return DeliveredBank(folder)


@pytest.fixture(scope="package")
def bank(tmp_path_factory: pytest.TempPathFactory) -> DeliveredBank:
    """Return 20,000 customers and 36 months."""
    folder = tmp_path_factory.mktemp("bank")
    demo.write(folder, 20_000, 36, SEED)
    return DeliveredBank(folder)
