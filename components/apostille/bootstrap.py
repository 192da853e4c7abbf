"""Builds the directory for the command line: a stand-in until the whole house is built here."""

from __future__ import annotations

import tomllib
from pathlib import Path

from apostille.database import open_database
from apostille.directory.service import Directory
from apostille.directory.store import SqlRegister
from apostille.vocabulary import Fault
from apostille.xmpp import address


def directory(settings_path: str | None) -> Directory:
    """The directory that these settings describe.

    Raises:
        Fault: the settings cannot be read.
    """
    path = Path(settings_path or "apostille.toml")
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Fault(f"{path}: cannot be read: {error.strerror}") from None
    return Directory(SqlRegister(open_database(settings["database"])), settings["domain"], address)
