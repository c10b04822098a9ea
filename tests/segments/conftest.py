"""Fixtures of the segments of the invented bank."""

from collections.abc import Generator
from pathlib import Path

import pandas as pd
import pytest

from analytics.segments import features, report
from analytics.segments.report import Segments
from data.editions.reader import Warehouse
from tests.segments.support import LAST


@pytest.fixture(scope="module")
def warehouse(fitted_home: Path) -> Generator[Warehouse]:
    """The invented bank of `fitted_home`."""
    opened = Warehouse(fitted_home)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def segments(warehouse: Warehouse) -> Segments:
    """Its stored fit."""
    return report.read(warehouse)


@pytest.fixture(scope="module")
def frame(warehouse: Warehouse) -> pd.DataFrame:
    """The features of its newest month end."""
    with warehouse.session() as reader:
        return features.features_at(reader, LAST)
