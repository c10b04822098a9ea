"""The secret key of a home."""

import threading
from pathlib import Path

import pytest

from data.editions.hash_key import secret_key
from data.errors import UserError


def test_the_key_is_created_once_and_only_its_owner_may_read_it(home: Path) -> None:
    key = secret_key(home)
    assert len(key) == 32
    assert secret_key(home) == key
    assert (home / "key").stat().st_mode & 0o777 == 0o600


def test_eight_first_users_get_one_key(home: Path) -> None:
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(secret_key(home))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_a_key_that_others_can_read_is_refused(home: Path) -> None:
    secret_key(home)
    (home / "key").chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        secret_key(home)


def test_a_key_of_another_length_is_refused(home: Path) -> None:
    secret_key(home)
    (home / "key").write_bytes(b"short")
    with pytest.raises(UserError, match="5 of 32 bytes"):
        secret_key(home)
