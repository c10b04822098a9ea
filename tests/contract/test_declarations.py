"""Declaration files: what is wrong is refused with the file and the path of the entry."""

from pathlib import Path

import msgspec
import pytest

from data.declarations import BadDeclaration, Declaration, convert, convert_entries, read_toml


class Limit(Declaration, frozen=True):
    amount: int
    names: dict[str, str] = msgspec.field(default_factory=dict)


class Product(Declaration, frozen=True):
    limit: Limit
    tags: list[str] = msgspec.field(default_factory=list)


def refusal(raw: dict) -> BadDeclaration:
    """Return the error of converting entries."""
    with pytest.raises(BadDeclaration) as caught:
        convert_entries(raw, Product, "products.toml", "product")
    return caught.value


def test_entries_become_typed_objects() -> None:
    products = convert_entries({"home": {"limit": {"amount": 3}}}, Product, "p.toml", "product")
    assert products["home"].limit.amount == 3


def test_an_unknown_key_is_refused_with_its_path() -> None:
    error = refusal({"home": {"limit": {"amount": 3, "amuont": 4}}})
    assert error.text("en") == (
        "products.toml: unknown key product.home.limit.amuont; remove it or mend its spelling; "
        "known here are amount, names"
    )
    assert "product.home.limit.amuont" in error.text("zh-CN")


def test_a_missing_key_is_refused_with_its_path() -> None:
    assert refusal({"home": {"limit": {}}}).facts["place"] == "product.home.limit.amount"


def test_a_wrong_type_is_refused_with_its_path() -> None:
    error = refusal({"home": {"limit": {"amount": "three"}}})
    assert error.facts["place"] == "product.home.limit.amount"
    assert refusal({"home": {"limit": {"amount": 3}, "tags": [1]}}).facts["place"] == (
        "product.home.tags[0]"
    )


def test_a_value_outside_any_entry_is_refused() -> None:
    with pytest.raises(BadDeclaration):
        convert([], Product, "products.toml")


def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "products.toml"
    path.write_text("[product\n")
    with pytest.raises(BadDeclaration, match=r"products\.toml"):
        read_toml(path)
