"""A home whose editions are of an older format: readers refuse it, a full load makes it usable."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analytics.__main__ import main as analytics_command
from data.__main__ import main as data_command
from data.editions import manifest, store
from data.editions.manifest import FORMAT, Edition, OlderFormat
from data.editions.reader import Warehouse
from data.errors import UserError
from tests.conftest import APP
from tests.support import deliveries
from tests.support.damage import served_edition
from tests.support.disk_faults import FEBRUARY, MARCH, publish, served

ADVICE = {
    "en": "load the full delivery again, into this home or a new one",
    "zh-CN": "请重新全量加载交付，可加载到本目录或新目录",
}


def set_format(home: Path, form: int) -> Edition:
    """Write all pointers of the home anew in another format; return the edition of CURRENT."""
    for pointer in (home / "CURRENT", home / "PREVIOUS", *(home / "editions").iterdir()):
        if pointer.exists():
            edition = replace(manifest.read(pointer), format=form)
            pointer.write_text(manifest.dumps(edition), encoding="utf-8")
    return manifest.read(home / "CURRENT", any_format=True)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of two editions of the older format."""
    home = tmp_path / "home"
    publish(home, 1)
    publish(home, 2, FEBRUARY, kind="increment")
    set_format(home, FORMAT - 1)
    return home


def files(home: Path) -> dict[str, bytes]:
    """The pointers and parts of a home, by path."""
    folders = (home / "parts", home / "editions")
    paths = [home / "CURRENT", *(path for folder in folders for path in folder.iterdir())]
    return {str(path): path.read_bytes() for path in paths}


def test_a_reader_says_in_both_languages_what_to_do(home: Path) -> None:
    with pytest.raises(OlderFormat) as refusal:
        Warehouse(home)
    for language, advice in ADVICE.items():
        assert advice in refusal.value.text(language)


def test_an_increment_is_refused_and_changes_nothing(home: Path) -> None:
    before = files(home)
    with pytest.raises(OlderFormat):
        publish(home, 3, MARCH, kind="increment")
    assert files(home) == before


def test_a_full_load_publishes_the_next_edition_beside_the_older_files(home: Path) -> None:
    older = files(home)
    edition = publish(home, 3, FEBRUARY)
    assert (edition.number, edition.format) == (3, FORMAT)
    assert served(home) == (3, None)
    assert store.history(home) == [edition]
    older.pop(str(home / "CURRENT"))
    assert older.items() <= files(home).items()


def test_an_increment_follows_the_full_load(home: Path) -> None:
    publish(home, 3)
    edition = publish(home, 4, FEBRUARY, kind="increment")
    assert (edition.number, len(edition.parts)) == (4, 2)
    warehouse = Warehouse(home)
    assert (warehouse.edition, warehouse.degraded_reason) == (edition, None)
    warehouse.close()


def test_older_editions_count_among_the_twelve_that_stay(home: Path) -> None:
    older_parts = {path.name for path in (home / "parts").iterdir()}
    for load in range(3, 15):
        publish(home, load)
    assert not older_parts & {path.name for path in (home / "parts").iterdir()}
    assert len(list((home / "editions").iterdir())) == store.MAX_EDITIONS


def test_an_older_edition_cannot_be_made_current(home: Path) -> None:
    older = manifest.read(home / "CURRENT", any_format=True)
    edition = publish(home, 3)
    with pytest.raises(OlderFormat):
        store.rollback(home, older.id)
    assert store.current(home) == edition


def test_a_rollback_leaves_no_older_edition_to_fall_back_to(home: Path) -> None:
    first = publish(home, 3)
    publish(home, 4)
    store.rollback(home, first.id)
    assert manifest.read(home / "PREVIOUS").id == first.id


def test_a_newer_format_asks_for_the_newer_release(home: Path) -> None:
    publish(home, 3)
    newer = replace(served_edition(home), format=FORMAT + 1)
    (home / "CURRENT").write_text(manifest.dumps(newer), encoding="utf-8")
    with pytest.raises(UserError) as refusal:
        store.current(home)
    assert "install the newer release" in refusal.value.text("en")
    assert "请安装较新版本" in refusal.value.text("zh-CN")


# Loads and commands


@pytest.fixture
def tiny_home(tmp_path: Path) -> Path:
    """A home of the older format made by a real load."""
    home = tmp_path / "home"
    deliveries.load_tiny(deliveries.manifest(deliveries.write(tmp_path / "delivery")), home)
    set_format(home, FORMAT - 1)
    return home


def test_the_same_full_delivery_can_be_loaded_again(tiny_home: Path, tmp_path: Path) -> None:
    edition = deliveries.load_tiny(tmp_path / "delivery", tiny_home)
    assert (edition.kind, edition.number) == ("full", 2)
    warehouse = Warehouse(tiny_home)
    assert warehouse.one("select count(*) from loan") == (2,)
    warehouse.close()


def test_the_load_of_an_increment_is_refused(tiny_home: Path, tmp_path: Path) -> None:
    april = deliveries.write(tmp_path / "april", customer=None, loan=None)
    deliveries.manifest(april, "2024-04-30", kind="increment")
    with pytest.raises(OlderFormat):
        deliveries.load_tiny(april, tiny_home, as_of=None)


@pytest.mark.parametrize(
    ("command", "arguments", "exit_code"),
    [
        (data_command, ["editions"], 1),
        (data_command, ["editions", "--rollback", "{id}"], 1),
        (analytics_command, ["ask", "customers", "--as-of", "2024-03-31"], 2),
    ],
    ids=["editions", "rollback", "ask"],
)
def test_a_command_fails_with_the_advice(
    tiny_home: Path,
    capsys: pytest.CaptureFixture[str],
    command: Callable[[list[str]], int],
    arguments: list[str],
    exit_code: int,
) -> None:
    older = manifest.read(tiny_home / "CURRENT", any_format=True)
    filled = [argument.format(id=older.id) for argument in arguments]
    assert command([*filled, "--home", str(tiny_home)]) == exit_code
    printed = capsys.readouterr().err
    for advice in ADVICE.values():
        assert advice in printed


@pytest.mark.parametrize("language", ADVICE)
def test_the_app_shows_the_advice(
    tiny_home: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("LOAN_PANORAMA_HOME", str(tiny_home))
    test = AppTest.from_file(APP, default_timeout=60)
    test.query_params["lang"] = language
    test.run()
    assert not test.exception
    assert ADVICE[language] in test.warning[0].value
