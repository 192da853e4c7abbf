"""The settings: one frozen dataclass, read once from one TOML file.

Knows every key, its type and its default (docs/reference/settings.md says the same; a test compares); refuses keys it does
not know, since a misspelt setting would silently not hold.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apostille.vocabulary import Fault, Reason, Refusal

DEFAULT_FILE = "apostille.toml"
MOST_GATES = 16
MOST_DAYS = 36_500
FIRST = ("approve", "wait")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the file: `section.name` (or `name` alone), what type it has, what holds without it, and what it means."""

    name: str
    type: type
    default: Any
    meaning: str


KEYS = (
    Key("domain", str, None, "The domain of the officials' JIDs, as the XMPP server serves it. Required."),
    Key("server.host", str, "127.0.0.1", "Where the XMPP server listens for components (XEP-0114)."),
    Key("server.port", int, 5347, "The port of the same."),
    Key("server.rooms", list, ["rooms.{domain}"], "Domains of the group chat services (XEP-0045) that the gate guards."),
    Key("server.unguarded", list, [], "Hosts of the server without the gate on purpose; with any other, no message is let through."),
    Key("server.components", list, [], "Domains of other external components (XEP-0114) that the gate guards; `service` to the policy."),
    Key("components.secret_file", str, "component.secret", "File with the secret that components log in with."),
    Key("components.gate", str, "gate.{domain}", "JID of the gate component."),
    Key("components.gates", int, 1, "Number of gate components, each a process; the second has the JID gate2.DOMAIN, and so on."),
    Key("components.rosters", str, "rosters.{domain}", "JID of the rosters component."),
    Key("components.directory", str, "directory.{domain}", "JID of the directory component (reserved)."),
    Key("components.trace", str, "trace.{domain}", "JID of the complaints component (reserved)."),
    Key("database.url", str, "sqlite:///apostille.sqlite", "Database, as an SQLAlchemy URL; relative SQLite paths start at this file."),
    Key("devices.first", str, "approve", "Whether a new account's first devices are approved at once (approve), or wait (wait)."),
    Key("devices.enrolment_days", int, 1, "Days after an account's first device in which further ones count as first ones."),
    Key("devices.stale_days", int, 90, "Days after which an approved device that nothing was heard of is stale."),
    Key("devices.security_contact", str, "", "JID of who is told of every change to an official's devices; empty: nobody."),
    Key("policy.file", str, "policy.toml", "The policy: which messages may pass."),
    Key("ledger.origin", str, "{domain}/ledger", "Name of the ledger in its checkpoints; never change it once there are records."),
    Key("ledger.key_file", str, "ledger.key", "Ed25519 private key that signs the ledger's checkpoints (PEM)."),
)
_BY_NAME = {key.name: key for key in KEYS}
_SECTIONS = {key.name.partition(".")[0] for key in KEYS if "." in key.name}


@dataclass(frozen=True, slots=True)
class Settings:
    """What `apostille.toml` says. Paths are absolute; `folder` is where the file lies."""

    folder: Path
    domain: str
    server_host: str
    server_port: int
    server_rooms: tuple[str, ...]
    server_unguarded: tuple[str, ...]
    server_components: tuple[str, ...]
    components_secret_file: Path
    components_gate: str
    components_gates: int
    components_rosters: str
    components_directory: str
    components_trace: str
    database_url: str
    devices_first: str
    devices_enrolment_days: int
    devices_stale_days: int
    devices_security_contact: str
    policy_file: Path
    ledger_origin: str
    ledger_key_file: Path

    def gates(self) -> tuple[str, ...]:
        """The JIDs of all gate components, `gate.gov.example`, `gate2.gov.example`, ...; messages go to them by their sender."""
        label, _, rest = self.components_gate.partition(".")
        return self.components_gate, *(f"{label}{number}.{rest}" for number in range(2, self.components_gates + 1))

    def secret(self) -> str:
        """The components' secret.

        Raises:
            Fault: its file cannot be read or is empty.
        """
        try:
            secret = self.components_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Fault(f"settings: components.secret_file: cannot read {self.components_secret_file}: {error}") from None
        if not secret:
            raise Fault(f"settings: components.secret_file: {self.components_secret_file} is empty")
        return secret


def read_settings(path: Path) -> Settings:
    """The settings in the file at `path`.

    Raises:
        Fault: the file cannot be read; the text says how to make one.
        Refusal: an unknown key, a wrong type or a missing key; the text names file, key and what would be right.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; make one with `apostille init DIR`, or name yours with -c FILE") from None
    except OSError as error:
        raise Fault(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Refusal(Reason.MALFORMED, f"{path}: is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise Refusal(Reason.MALFORMED, f"{path}: not TOML: {error}") from None
    return _settings(document, path.resolve())


def _settings(document: dict[str, Any], path: Path) -> Settings:
    given = _flatten(document, path)
    values: dict[str, Any] = {}
    for key in KEYS:
        value = given.get(key.name, key.default)
        if value is None:
            raise Refusal(Reason.MALFORMED, f'{path}: {key.name} is missing; write for example domain = "gov.example"')
        if key.name in given:
            _check_type(key, value, path)
        if key.name == "domain" and (not value or value != value.lower() or set(value) & set("@/ ")):
            raise Refusal(Reason.MALFORMED, f"{path}: domain = {value!r}; write it as the server does, in lower case: gov.example")
        values[key.name.replace(".", "_")] = _fill(value, str(values.get("domain", "")))
    folder = path.parent
    for name in ("components_secret_file", "policy_file", "ledger_key_file"):
        values[name] = folder / values[name]
    for name in ("server_rooms", "server_components", "server_unguarded"):
        domains: list[str] = values[name]
        values[name] = tuple(domains)
    values["database_url"] = _absolute_sqlite(values["database_url"], folder)
    return Settings(folder=folder, **values)


def _flatten(document: dict[str, Any], path: Path) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, value in document.items():
        if name in _SECTIONS:
            if not isinstance(value, dict):
                raise Refusal(Reason.MALFORMED, f"{path}: {name} is a section; write [{name}]")
            given.update({f"{name}.{inner}": content for inner, content in value.items()})
        else:
            given[name] = value
    for name in given:
        if name not in _BY_NAME:
            near = difflib.get_close_matches(name, list(_BY_NAME), n=1, cutoff=0.0)[0]
            raise Refusal(Reason.MALFORMED, f"{path}: unknown key {name!r}; did you mean {near!r}?")
    return given


_TYPE_WORDS = {str: "a text in quotes", int: "a whole number", list: "a list of texts"}


def _check_type(key: Key, value: Any, path: Path) -> None:
    right = type(value) is key.type and (not isinstance(value, list) or all(isinstance(one, str) for one in value))
    if not right:
        raise Refusal(Reason.MALFORMED, f"{path}: {key.name} = {value!r}; should be {_TYPE_WORDS[key.type]}")
    if key.name == "components.gates" and not 0 < value <= MOST_GATES:
        raise Refusal(Reason.MALFORMED, f"{path}: components.gates = {value}; should lie between 1 and {MOST_GATES}")
    if key.name == "devices.first" and value not in FIRST:
        raise Refusal(Reason.MALFORMED, f'{path}: devices.first = {value!r}; should be "approve" or "wait"')
    if key.name in ("devices.enrolment_days", "devices.stale_days") and not 0 <= value <= MOST_DAYS:
        raise Refusal(Reason.MALFORMED, f"{path}: {key.name} = {value}; should lie between 0 and {MOST_DAYS}")
    if key.name == "server.port" and not 0 < value < 65536:
        raise Refusal(Reason.MALFORMED, f"{path}: server.port = {value}; should lie between 1 and 65535")


def _fill(value: Any, domain: str) -> Any:
    if isinstance(value, str):
        return value.replace("{domain}", domain)
    if isinstance(value, list):
        return [_fill(one, domain) for one in value]
    return value


def _absolute_sqlite(url: str, folder: Path) -> str:
    prefix = "sqlite:///"
    if not url.startswith(prefix) or url.startswith(prefix + "/"):
        return url
    return f"{prefix}{folder / url.removeprefix(prefix)}"
