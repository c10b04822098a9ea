"""The segments on the command line: JSON for every command, exit code 2 for wrong use."""

import json
from pathlib import Path

import pytest

from analytics.__main__ import main


@pytest.mark.parametrize(
    "command",
    [("show",), ("show", "--what", "candidates"), ("profile",), ("disagree",), ("validate",)],
)
def test_a_command_prints_json(
    fitted_home: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert main(["segments", *command, "--home", str(fitted_home), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("validate", "--scheme", "nothing"), "There is no scheme 'nothing'"),
        (("show", "--as-of", "2026-05-31"), "was never fitted"),
        (("disagree", "--kind", "other"), "is not one of"),
        (("disagree", "--branch", "nowhere"), "There is no branch 'nowhere'"),
        (("disagree", "--limit", "0"), "above zero"),
        (("profile", "--segment", "zz"), "There is no segment 'zz'"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_two(
    fitted_home: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], message: str
) -> None:
    assert main(["segments", *command, "--home", str(fitted_home)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
