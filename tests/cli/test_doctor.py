"""`apostille doctor`: every check by name, what is wrong, how to mend it; and `upgrade`."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from installation import Installation

CHECKS = ["settings", "components' secret", "ledger key", "policy", "database", "ledger", "XMPP server"]


@pytest.fixture
def server(empty: Installation) -> Iterator[int]:
    """Something that listens where the settings say."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        empty.settings.write_text(empty.settings.read_text("utf-8").replace("port = 1\n", f"port = {port}\n"), "utf-8")
        yield port


def failing(installation: Installation) -> dict[str, str]:
    result = installation.run("doctor", "--json")
    told = json.loads(result.stdout)
    assert [one["check"] for one in told] == CHECKS
    found = {one["check"]: one["text"] for one in told if not one["ok"]}
    assert result.exit_code == (1 if found else 0)
    return found


def test_a_new_installation_with_its_server_is_well(empty: Installation, server: int) -> None:
    result = empty.run("doctor")
    assert result.exit_code == 0
    assert [line[:4] for line in result.stdout.splitlines()] == ["ok  "] * len(CHECKS)
    assert f"listens for components at 127.0.0.1:{server}" in result.stdout
    assert failing(empty) == {}


def test_a_server_that_does_not_listen_is_said_to_be_down(empty: Installation) -> None:
    assert list(failing(empty)) == ["XMPP server"]
    assert "nothing listens for components at 127.0.0.1:1" in failing(empty)["XMPP server"]
    assert "FAIL XMPP server" in empty.run("doctor").stdout


def test_a_secret_that_others_can_read_is_found(empty: Installation, server: int) -> None:
    for name, check in [("component.secret", "components' secret"), ("ledger.key", "ledger key")]:
        (empty.folder / name).chmod(0o640)
        assert "chmod 600" in failing(empty)[check]
        (empty.folder / name).chmod(0o600)


@pytest.mark.parametrize(
    ("name", "content", "check", "said"),
    [
        ("component.secret", b"\n", "components' secret", "is empty"),
        ("component.secret", b"\xff", "components' secret", "cannot read"),
        ("ledger.key", b"nonsense", "ledger key", "is not an unencrypted private key in PEM form"),
        ("ledger.key", b"", "ledger key", "is not an unencrypted private key in PEM form"),
        ("policy.toml", b"", "policy", "has no rule, so every message is refused"),
        ("policy.toml", b"[[rule]]\n", "policy", "rule 1: needs a name"),
        ("policy.toml", b"\xff", "policy", "is not UTF-8 text"),
        ("apostille.sqlite", b"garbage " * 999, "database", "does not answer"),
        ("apostille.sqlite", b"", "database", "has no schema"),
    ],
)
def test_a_file_that_is_damaged_is_found_and_the_rest_is_still_checked(
    name: str, content: bytes, check: str, said: str, empty: Installation, server: int
) -> None:
    for leftover in empty.folder.glob(f"{name}-*"):
        leftover.unlink()
    (empty.folder / name).write_bytes(content)
    (empty.folder / name).chmod(0o600)
    found = failing(empty)
    assert said in found[check]
    assert set(found) <= {check, "ledger"}


@pytest.mark.parametrize("name", ["component.secret", "ledger.key", "policy.toml", "apostille.sqlite"])
@pytest.mark.parametrize("instead", ["nothing", "a folder"])
def test_a_file_that_is_missing_or_a_folder_is_found(name: str, instead: str, empty: Installation, server: int) -> None:
    (empty.folder / name).unlink()
    if instead == "a folder":
        (empty.folder / name).mkdir()
    found = failing(empty)
    assert len(found) >= 1
    assert "XMPP server" not in found
    assert any(name in text for text in found.values())


def test_the_key_of_another_ledger_is_found(empty: Installation, server: int) -> None:
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (empty.folder / "ledger.key").write_bytes(key)
    assert list(failing(empty)) == ["ledger"]
    assert "no checkpoint of gov.example/ledger+" in failing(empty)["ledger"]


def test_an_older_database_is_mended_by_upgrade(empty: Installation, server: int) -> None:
    empty.database.unlink()
    assert "run `apostille upgrade`" in failing(empty)["database"]
    assert empty.run("upgrade").stdout.startswith("schema (none) -> ")
    assert empty.run("upgrade").stdout.endswith(": up to date\n")
    assert "database" not in failing(empty)


def test_a_newer_database_is_left_alone(empty: Installation, server: int) -> None:
    empty.sql("UPDATE alembic_version SET version_num = '9999'")
    assert "newer version of this program" in failing(empty)["database"]
    for command in (("upgrade",), ("ledger", "verify"), ("officials", "list"), ("audit", "trace", "--stanza-id", "x")):
        result = empty.run(*command)
        assert result.exit_code == 3
        assert "newer version of this program" in result.stderr


def test_settings_that_cannot_be_read_end_the_examination(empty: Installation) -> None:
    empty.settings.write_text("domian = 'x'", encoding="utf-8")
    result = empty.run("doctor")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "did you mean 'domain'" in result.stderr
    empty.settings.unlink()
    assert empty.run("doctor").exit_code == 3
