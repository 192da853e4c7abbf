"""The gate module's Lua files, in one process for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lua import Lua


@pytest.fixture(scope="session")
def lua() -> Iterator[Lua]:
    """The Lua side; terms stay until others are read."""
    process = Lua()
    yield process
    process.close()
