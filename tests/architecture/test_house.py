"""The house keeps its own rules: what is built is listed, what can be set or asked is documented, what is linked is there."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import click
import pytest
from setuptools import find_packages

import apostille_xep
from apostille.cli import cli
from apostille.gate.component import _ERROR_TYPES
from apostille.policy.rules import Requirement, Setting, Stage
from apostille.policy.stanzas import _TABLE
from apostille.policy.texts import CLIENTS, OUTAGES, TEXTS
from apostille.settings import KEYS
from apostille.vocabulary import Party

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ROOTS = ("components", "xep_extensions")
TYPES = {str: "text", int: "whole number", list: "list of texts"}
LONGEST = 400


def committed() -> list[Path]:
    """Every file that is in the repository, or is about to be."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def written(*endings: str) -> list[Path]:
    return [path for path in committed() if path.suffix in endings]


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(page: str) -> list[list[str]]:
    """The cells of every table row of a page."""
    lines = [line.strip() for line in page.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ---- what is built --------------------------------------------------------------------------------------------------


def test_every_package_of_both_source_roots_is_listed_in_setup_cfg() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = setup["options"]["packages"].split()
    found = [package for root in ROOTS for package in find_packages(str(ROOT / root))]
    assert sorted(listed) == sorted(found)


def test_the_specifications_are_part_of_the_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    data = setup["options.package_data"]
    for package in extensions():
        assert data[f"apostille_xep.{package}"].split(", ") == ["*.md", "*.xsd"]
    assert data["apostille.policy"] == "locale/*.po"


# ---- what is documented ---------------------------------------------------------------------------------------------


def test_every_setting_is_documented_with_type_default_and_meaning_and_no_other() -> None:
    documented = [row for row in rows(text("reference/settings.md")) if row[0].startswith("`")]
    expected = [
        [f"`{key.name}`", TYPES[key.type], "none" if key.default is None else f"`{json.dumps(key.default)}`", key.meaning] for key in KEYS
    ]
    assert documented == expected


def test_the_example_of_the_settings_shows_every_key_with_its_default() -> None:
    import tomllib

    lines = (ROOT / "deploy" / "apostille.example.toml").read_text(encoding="utf-8").splitlines()
    # A commented default is `# key = value`; prose has no such form.
    uncommented = [re.sub(r"^# (?=[a-z_]+ = )", "", line) for line in lines]
    shown = tomllib.loads("\n".join(uncommented))
    found = {name: value for name, value in shown.items() if not isinstance(value, dict)}
    found |= {f"{section}.{name}": value for section, keys in shown.items() if isinstance(keys, dict) for name, value in keys.items()}
    assert found == {key.name: "gov.example" if key.default is None else key.default for key in KEYS}
    assert set(tomllib.loads("\n".join(lines))["server"]) == set(), "defaults are shown, not set"


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that can be called, by its full name."""
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for inner in command.list_commands(context):
            child = command.get_command(context, inner)
            assert child is not None
            yield from commands(child, f"{name} {inner}")
    else:
        yield name, command


def sections() -> dict[str, str]:
    """The page of the command line by command: `apostille units list` to what stands below it."""
    parts = re.split(r"^## `([^`]*)`\n", text("reference/cli.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options_of(command: click.Command) -> set[str]:
    """Every option that `--help` shows; a hidden one is for the program itself, and no business of the page."""
    shown = (one for one in command.params if isinstance(one, click.Option) and not one.hidden)
    every = (name for one in shown for name in (*one.opts, *one.secondary_opts))
    return {name for name in every if name not in ("--help", "-h")}


def options_in(section: str) -> set[str]:
    first = (row[0] for row in rows(section))
    return {option for cell in first for option in re.findall(r"`(--?[a-z-]+)", cell)}


def test_every_command_and_option_is_documented_and_no_other() -> None:
    documented = {re.sub(r" [\[A-Z].*$", "", heading): options_in(section) for heading, section in sections().items()}
    expected = {name: options_of(command) for name, command in commands(cli, "apostille")}
    expected["apostille"] = options_of(cli)
    assert documented == expected


def test_only_the_program_itself_uses_hidden_options() -> None:
    options = [(name, one) for name, command in commands(cli, "apostille") for one in command.params if isinstance(one, click.Option)]
    assert {(name, one.name) for name, one in options if one.hidden} == {("apostille serve", "number"), ("apostille serve", "ledger")}


def test_the_documented_arguments_are_those_of_the_commands() -> None:
    documented = {heading.partition(" [")[0].rstrip(" ABCDEFGHIJKLMNOPQRSTUVWXYZ"): heading for heading in sections()}
    for name, command in commands(cli, "apostille"):
        context = click.Context(command, info_name=name)
        arguments = [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]
        assert documented[name] == " ".join([name, *arguments])


def test_every_code_of_refusal_is_documented_with_its_type_and_text() -> None:
    documented = {(row[0], *row[-2:]) for row in rows(text("reference/policy.md")) if len(row) >= 3}
    for code, sentence in TEXTS.items():
        assert (f"`{code}`", _ERROR_TYPES.get(code, "modify"), sentence) in documented, code
    lua = (ROOT / "deploy" / "prosody" / "modules" / "apostille_bounces.lib.lua").read_text(encoding="utf-8")
    own = re.findall(r'^\t(\w+) = "(Your message [^"]*)";', lua, re.MULTILINE)
    assert dict(own) == OUTAGES, "the server's last resort is what the component would have told it in English"
    for code, sentence in own:
        assert any(row[0] == f"`{code}`" and row[-1] == sentence for row in documented), code


def test_every_client_that_gets_a_next_step_is_documented() -> None:
    page = text("reference/policy.md")
    for _, name, _ in CLIENTS:
        assert name in page, name


def test_every_word_of_a_policy_is_documented() -> None:
    page = text("reference/policy.md")
    for word in (*Party, *Stage, *Setting, *Requirement):
        assert f"`{word.value}`" in page, word


def test_the_stanza_table_is_documented_row_by_row() -> None:
    documented = [row for row in rows(text("reference/policy.md")) if len(row) == 5 and row[2].isdigit()]
    expected = [
        [f"`{namespace}`", f"`{name}`", str(row.text), str(row.attributes), str(row.elements)] for (namespace, name), row in _TABLE.items()
    ]
    assert documented == expected


def test_every_option_of_the_lua_modules_is_documented_with_its_default() -> None:
    documented = {row[0]: row[2] for row in rows(text("reference/prosody.md")) if len(row) == 4}
    for path in sorted((ROOT / "deploy" / "prosody" / "modules").glob("mod_*.lua")):
        for name, default in re.findall(r'get_option_\w+\("(\w+)", ([^)]+)\)', path.read_text(encoding="utf-8")):
            host = re.fullmatch(r'(?:\{ )?("[a-z]+\.") ?\.\. ?(?:this_)?host(?: \})?', default)
            shown = f"`{host[1][1:-1]}` + host" if host else f"`{default}`"
            assert documented.get(f"`{name}`") == shown, name


def extensions() -> list[str]:
    return [module.name for module in iter_modules(apostille_xep.__path__) if module.ispkg]


def test_every_namespace_has_a_specification_a_schema_and_a_page() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md")))
    assert extensions()
    for package in extensions():
        module = import_module(f"apostille_xep.{package}.stanza")
        folder = ROOT / "xep_extensions" / "apostille_xep" / package
        assert module.NAMESPACE in (folder / "spec.md").read_text(encoding="utf-8").splitlines()[0]
        assert f"targetNamespace='{module.NAMESPACE}'" in (folder / "schema.xsd").read_text(encoding="utf-8")
        assert module.NAMESPACE in pages


# ---- what is linked -------------------------------------------------------------------------------------------------


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_relative_link_leads_somewhere() -> None:
    dead = []
    for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
                dead.append(f"{short(path)}: {link}")
    assert not dead


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    pending = [DOCS / "README.md"]
    while pending:
        page = pending.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
        pending += [(page.parent / link).resolve() for link in links if not re.match(r"[a-z]+:", link)]
    assert not {short(page) for page in DOCS.rglob("*.md")} - {short(page) for page in reached}


def test_the_commands_of_the_readme_exist_and_can_be_run() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\bdeploy/[a-z]+(?=[\s`])", readme)) - {"deploy/rig", "deploy/scenario", "deploy/sample", "deploy/prosody"}
    assert {"deploy/demo", "deploy/test"} <= named
    for name in named:
        assert os.access(ROOT / name, os.X_OK), name


def test_the_rooms_on_the_map_are_those_of_the_package() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "components" / "apostille").iterdir()):
        if (path / "service.py").exists():
            assert f"{path.name}/" in readme, path.name


# ---- how files are written ------------------------------------------------------------------------------------------


def head(path: Path) -> str:
    """A module's docstring, or the comment that a Lua file begins with."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(source)) or ""
    return "\n".join(line for line in source.partition("\n\n")[0].splitlines() if line.startswith("--"))


def test_every_module_says_what_it_is() -> None:
    silent = [short(path) for path in written(".py", ".lua") if path.stat().st_size and not head(path)]
    assert not silent


def test_a_long_file_says_why() -> None:
    long = [path for path in written(".py", ".lua") if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST]
    unexplained = [short(path) for path in long if f"{LONGEST} lines" not in head(path)]
    assert not unexplained


def test_every_type_that_is_ignored_is_ignored_by_name() -> None:
    bare = re.compile(r"#\s*type:\s*ignore(?!\[)")
    found = [f"{short(path)}:{number}" for path in written(".py") for number, line in lines_of(path) if bare.search(line)]
    assert [place for place in found if not place.startswith("tests/architecture/test_house.py:")] == []


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    return enumerate(path.read_text(encoding="utf-8").splitlines(), 1)


def test_nothing_that_is_committed_names_a_folder_of_somebodys_machine() -> None:
    machine = re.compile(r"(?<![\w.{])/(?:work|root|home/[a-z]\w*|Users/\w+)/")
    found = []
    for path in committed():
        try:
            found += [f"{short(path)}:{number}: {line.strip()[:80]}" for number, line in lines_of(path) if machine.search(line)]
        except UnicodeDecodeError:
            continue
    assert not found


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=short)
def test_a_page_begins_with_its_one_title(path: Path) -> None:
    outside = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^# .*$", outside, re.MULTILINE)
    assert len(titles) == 1
    assert outside.startswith(titles[0])
