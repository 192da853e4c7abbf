"""The settings: every key has its type, and what nobody knows is refused with what was probably meant."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from apostille.settings import KEYS, Settings, read_settings
from apostille.vocabulary import Fault, Reason, Refusal

DOMAIN = 'domain = "gov.example"\n'


def settings(folder: Path, text: str = DOMAIN) -> Settings:
    path = folder / "apostille.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(Refusal) as refusal:
        settings(folder, text)
    assert refusal.value.reason is Reason.MALFORMED
    assert refusal.value.text.startswith(f"{folder / 'apostille.toml'}: ")
    return refusal.value.text


def test_a_domain_is_all_that_must_be_set(tmp_path: Path) -> None:
    assert settings(tmp_path) == Settings(
        folder=tmp_path,
        domain="gov.example",
        server_host="127.0.0.1",
        server_port=5347,
        server_rooms=("rooms.gov.example",),
        server_components=(),
        server_unguarded=(),
        components_secret_file=tmp_path / "component.secret",
        components_gate="gate.gov.example",
        components_gates=1,
        components_rosters="rosters.gov.example",
        components_directory="directory.gov.example",
        components_trace="trace.gov.example",
        database_url=f"sqlite:///{tmp_path}/apostille.sqlite",
        devices_first="approve",
        devices_enrolment_days=1,
        devices_stale_days=90,
        devices_security_contact="",
        policy_file=tmp_path / "policy.toml",
        ledger_origin="gov.example/ledger",
        ledger_key_file=tmp_path / "ledger.key",
    )


def test_every_key_can_be_set(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        DOMAIN + '[server]\nhost = "10.0.0.1"\nport = 1\nrooms = ["a.gov.example", "b.{domain}"]\ncomponents = ["bot.{domain}"]\n'
        'unguarded = ["chat.{domain}"]\n'
        '[components]\nsecret_file = "/etc/s"\ngate = "g.{domain}"\ngates = 3\nrosters = "r"\ndirectory = "d"\ntrace = "t"\n'
        '[database]\nurl = "postgresql+psycopg://localhost/apostille"\n'
        '[policy]\nfile = "../p.toml"\n[ledger]\norigin = "log"\nkey_file = "keys/l.pem"\n',
    )
    assert (found.server_host, found.server_port, found.server_rooms) == ("10.0.0.1", 1, ("a.gov.example", "b.gov.example"))
    assert found.server_components == ("bot.gov.example",)
    assert found.server_unguarded == ("chat.gov.example",)
    assert found.components_secret_file == Path("/etc/s")
    assert (found.components_gate, found.components_rosters) == ("g.gov.example", "r")
    assert found.gates() == ("g.gov.example", "g2.gov.example", "g3.gov.example")
    assert (found.components_directory, found.components_trace) == ("d", "t")
    assert found.database_url == "postgresql+psycopg://localhost/apostille"
    assert (found.policy_file, found.ledger_key_file) == (tmp_path / "../p.toml", tmp_path / "keys/l.pem")
    assert found.ledger_origin == "log"


def test_the_gates_are_numbered_from_the_second_on_behind_their_first_label(tmp_path: Path) -> None:
    assert settings(tmp_path).gates() == ("gate.gov.example",)
    sixteen = settings(tmp_path, DOMAIN + '[components]\ngate = "check.{domain}"\ngates = 16\n').gates()
    assert len(set(sixteen)) == 16
    assert sixteen[:2] == ("check.gov.example", "check2.gov.example")
    assert sixteen[-1] == "check16.gov.example"


def test_keys_and_fields_are_the_same() -> None:
    assert {key.name.replace(".", "_") for key in KEYS} | {"folder"} == {field.name for field in fields(Settings)}
    assert all(key.meaning.endswith(".") for key in KEYS)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sqlite:///data/a.sqlite", "sqlite:///{folder}/data/a.sqlite"),
        ("sqlite:////var/a.sqlite", "sqlite:////var/a.sqlite"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_a_relative_sqlite_file_lies_beside_the_settings(url: str, found: str, tmp_path: Path) -> None:
    assert settings(tmp_path, f'{DOMAIN}[database]\nurl = "{url}"\n').database_url == found.format(folder=tmp_path)


def test_paths_do_not_depend_on_where_the_command_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert read_settings(Path("apostille.toml")) == settings(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'domain is missing; write for example domain = "gov.example"'),
        ('[server]\nhost = "x"', "domain is missing"),
        (DOMAIN + "[server]\nprot = 1", "unknown key 'server.prot'; did you mean 'server.port'?"),
        ('domian = "gov.example"', "unknown key 'domian'; did you mean 'domain'?"),
        (DOMAIN + "[databse]\nurl = 'x'", "unknown key 'databse'; did you mean"),
        (DOMAIN + "secret = 'x'", "unknown key 'secret'; did you mean"),
        (DOMAIN + '"" = 1', "unknown key ''; did you mean"),
        (DOMAIN + "[server.port]\nx = 1", "server.port = {'x': 1}; should be a whole number"),
        ("server = 1\n" + DOMAIN, "server is a section; write [server]"),
        (DOMAIN + "[[server]]\nport = 1", "server is a section; write [server]"),
        ("domain = 1", "domain = 1; should be a text in quotes"),
        ("domain = ['gov.example']", "domain = ['gov.example']; should be a text in quotes"),
        ('[domain]\nname = "gov.example"', "should be a text in quotes"),
        (DOMAIN + "[server]\nport = '5347'", "server.port = '5347'; should be a whole number"),
        (DOMAIN + "[server]\nport = 5347.0", "should be a whole number"),
        (DOMAIN + "[server]\nport = true", "should be a whole number"),
        (DOMAIN + "[server]\nport = 0", "server.port = 0; should lie between 1 and 65535"),
        (DOMAIN + "[server]\nport = 65536", "should lie between 1 and 65535"),
        (DOMAIN + "[server]\nport = -1", "should lie between 1 and 65535"),
        (DOMAIN + "[components]\ngates = 0", "components.gates = 0; should lie between 1 and 16"),
        (DOMAIN + "[components]\ngates = 17", "components.gates = 17; should lie between 1 and 16"),
        (DOMAIN + "[components]\ngates = -1", "should lie between 1 and 16"),
        (DOMAIN + "[components]\ngates = '2'", "components.gates = '2'; should be a whole number"),
        (DOMAIN + "[components]\ngates = true", "should be a whole number"),
        (DOMAIN + "[server]\nrooms = 'rooms.gov.example'", "should be a list of texts"),
        (DOMAIN + "[server]\nrooms = [1]", "should be a list of texts"),
        (DOMAIN + DOMAIN, "not TOML: "),
        ("domain", "not TOML: "),
    ],
)
def test_every_flaw_names_file_and_key_and_what_would_be_right(text: str, said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, text)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "apostille.toml").write_bytes(b"domain = '\xff'")
    with pytest.raises(Refusal, match="is not UTF-8 text"):
        read_settings(tmp_path / "apostille.toml")


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="no such file; make one with `apostille init DIR`"):
        read_settings(tmp_path / "none.toml")
    with pytest.raises(Fault, match="cannot be read"):
        read_settings(tmp_path)


def test_the_secret_is_read_from_its_file_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "component.secret").write_text(" s3cret\n", encoding="utf-8")
    assert settings(tmp_path).secret() == "s3cret"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_secret_that_is_missing_empty_or_no_text_is_the_fault_of_the_environment(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "component.secret").write_bytes(content)
    with pytest.raises(Fault, match=r"settings: components\.secret_file: "):
        settings(tmp_path).secret()


def test_the_settings_do_not_hold_the_secret(tmp_path: Path) -> None:
    (tmp_path / "component.secret").write_text("s3cret", encoding="utf-8")
    assert "s3cret" not in repr(settings(tmp_path))
