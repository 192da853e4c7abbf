"""`apostille init`: a whole installation, or a reason; never half of somebody else's."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from apostille.settings import read_settings
from apostille.tlog.note import Verifier
from installation import Installation, run


def init(folder: Path, *more: str, domain: str = "gov.example") -> Installation:
    result = run("init", folder, "--domain", domain, *more)
    assert (result.exit_code, result.stderr) == (0, "")
    return Installation(folder)


def test_a_new_installation_is_whole(tmp_path: Path) -> None:
    made = init(tmp_path / "a" / "gov")
    assert {path.name for path in made.folder.iterdir()} >= {
        "apostille.toml",
        "policy.toml",
        "component.secret",
        "ledger.key",
        "prosody.cfg.lua",
        "apostille.sqlite",
    }
    assert made.run("ledger", "verify").stdout.startswith("The ledger is whole: 0 entries")
    assert made.run("policy", "check").exit_code == 0
    assert made.run("officials", "list").exit_code == 0
    assert made.run("upgrade").stdout.endswith("up to date\n")


def test_it_prints_what_the_server_and_the_auditors_need(tmp_path: Path) -> None:
    result = run("init", tmp_path, "--domain", "gov.example")
    vkey = result.stdout.splitlines()[-1].strip()
    assert Verifier.parse(vkey).name == "gov.example/ledger"
    assert vkey == Installation(tmp_path).vkey()
    assert 'Include "/etc/prosody/apostille.cfg.lua"' in result.stdout
    assert 'VirtualHost "gov.example":\n       authentication = "apostille"\n' in result.stdout
    (script,) = re.findall(r'firewall_scripts = \{ "(.*)" \}', result.stdout)
    assert Path(script).is_file()
    assert (tmp_path / "component.secret").read_text().strip() not in result.stdout


def test_the_servers_part_of_the_configuration_holds_the_secret_of_both_components(tmp_path: Path) -> None:
    made = init(tmp_path)
    secret = read_settings(made.settings).secret()
    configuration = (tmp_path / "prosody.cfg.lua").read_text("utf-8")
    assert configuration.count(f'component_secret = "{secret}"') == 2
    assert 'Component "gate.gov.example"' in configuration


@pytest.mark.parametrize(("arguments", "names"), [((), ["gate"]), (("--gates", "3"), ["gate", "gate2", "gate3"])])
def test_every_gate_has_a_component_and_the_server_knows_of_all(arguments: tuple[str, ...], names: list[str], tmp_path: Path) -> None:
    made = init(tmp_path, *arguments)
    settings = read_settings(made.settings)
    jids = [f"{name}.gov.example" for name in names]
    assert (settings.components_gates, list(settings.gates())) == (len(names), jids)
    configuration = (tmp_path / "prosody.cfg.lua").read_text("utf-8")
    sections = dict(re.findall(r'^Component "([^"]+)"\n((?:\t.*\n)+)', configuration, re.MULTILINE))
    assert list(sections) == [*jids, "rosters.gov.example"]
    for section in sections.values():
        assert f'component_secret = "{settings.secret()}"' in section
        assert 'component_conflict_resolve = "kick_old"' in section
        assert 'modules_enabled = { "apostille_gate" }' in section
    (listed,) = re.findall(r"^apostille_gate_components = \{ (.*) \}$", configuration, re.MULTILINE)
    assert [name.strip('"') for name in listed.split(", ")] == jids


@pytest.mark.parametrize("gates", ["0", "17", "-1", "two"])
def test_a_number_of_gates_that_nobody_runs_is_refused_and_nothing_is_made(gates: str, tmp_path: Path) -> None:
    assert run("init", tmp_path / "gov", "--domain", "gov.example", "--gates", gates).exit_code == 2
    assert not (tmp_path / "gov").exists()


def test_clients_that_look_around_do_not_find_the_components(tmp_path: Path) -> None:
    init(tmp_path)
    configuration = (tmp_path / "prosody.cfg.lua").read_text("utf-8")
    assert configuration.count("disco_hidden = true") == configuration.count("component_secret")


def test_secrets_are_readable_by_nobody_else(tmp_path: Path) -> None:
    made = init(tmp_path / "gov")
    for name in ("component.secret", "ledger.key"):
        assert stat.S_IMODE((made.folder / name).stat().st_mode) == 0o600
    for path in (made.folder / "prosody.cfg.lua", made.folder):
        assert not stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO


def test_what_was_asked_is_in_the_settings(tmp_path: Path) -> None:
    made = init(tmp_path, "--rooms", "Chat.Gov.Example", "--host", "10.0.0.1", "--port", "6000", domain="Gov.Example")
    settings = read_settings(made.settings)
    assert (settings.domain, settings.server_rooms) == ("gov.example", ("chat.gov.example",))
    assert (settings.server_host, settings.server_port) == ("10.0.0.1", 6000)


def test_two_installations_have_nothing_in_common(tmp_path: Path) -> None:
    one, other = init(tmp_path / "a"), init(tmp_path / "b")
    assert read_settings(one.settings).secret() != read_settings(other.settings).secret()
    assert one.vkey() != other.vkey()


@pytest.mark.parametrize("name", ["apostille.toml", "ledger.key", "component.secret", "policy.toml", "prosody.cfg.lua"])
def test_what_is_there_already_is_not_touched(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    result = run("init", tmp_path, "--domain", "gov.example")
    assert result.exit_code == 1
    assert f"{tmp_path / name} is there already" in result.stderr
    assert (tmp_path / name).read_text("utf-8") == "mine"


def test_a_second_init_changes_nothing(tmp_path: Path) -> None:
    made = init(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".sqlite"}
    assert run("init", tmp_path, "--domain", "other.example").exit_code == 1
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert made.run("ledger", "verify").exit_code == 0


def test_an_init_that_was_refused_leaves_nothing_that_hinders_the_next(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("mine", encoding="utf-8")
    assert run("init", tmp_path, "--domain", "gov.example").exit_code == 1
    (tmp_path / "policy.toml").unlink()
    assert run("init", tmp_path, "--domain", "gov.example").exit_code == 0


@pytest.mark.parametrize("domain", ["", "two words", "a@b@c", "gov.example/x", "anna@gov.example", 'gov".example', "gov\nexample"])
def test_a_domain_that_is_none_is_refused_and_nothing_is_made(domain: str, tmp_path: Path) -> None:
    for arguments in (("--domain", domain), ("--domain", "gov.example", "--rooms", domain)):
        if arguments[-2:] == ("--rooms", ""):
            continue  # no room service named is the default one
        result = run("init", tmp_path / "gov", *arguments)
        assert result.exit_code == 1, arguments
        assert result.stderr
        assert not (tmp_path / "gov").exists()


def test_a_domain_must_be_named(tmp_path: Path) -> None:
    assert run("init", tmp_path).exit_code == 2
    assert run("init", tmp_path, "--domain", "gov.example", "--port", "0").exit_code == 2


def test_a_folder_that_cannot_be_made_is_the_fault_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = run("init", tmp_path / "file" / "gov", "--domain", "gov.example")
    assert result.exit_code == 3
    assert str(tmp_path / "file") in result.stderr


@pytest.mark.parametrize("name", ["with space", "Ведомство", "50%", "a#b", "quo'te"])
def test_a_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    made = init(tmp_path / name)
    assert (made.folder / "apostille.sqlite").is_file()
    assert made.run("ledger", "verify").exit_code == 0


def test_a_folder_that_the_databases_url_cannot_name_is_refused(tmp_path: Path) -> None:
    result = run("init", tmp_path / "what?", "--domain", "gov.example")
    assert result.exit_code == 1
    assert not (tmp_path / "what?").exists()
