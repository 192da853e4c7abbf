"""`apostille init`: a new installation in one folder, and the lines for the XMPP server's configuration.

Knows which files an installation begins with; refuses to touch any that is already there.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from apostille import bootstrap, migrations
from apostille.cli.answers import answers, no
from apostille.database import open_database
from apostille.ledger.service import Ledger
from apostille.ledger.store import SqlLog
from apostille.settings import DEFAULT_FILE, MOST_GATES
from apostille.vocabulary import Fault, Reason, Refusal
from apostille.xmpp import address

_FILES = ("component.secret", "ledger.key", "prosody.cfg.lua", "policy.toml", DEFAULT_FILE)

_SETTINGS = """\
# Settings of Apostille. Every key is explained in docs/reference/settings.md; what is not set here has its default.
domain = "{domain}"

[server]
host = "{host}"
port = {port}
rooms = ["{rooms}"]

[components]
gates = {gates}
"""

_POLICY = """\
# The policy: rules in order, the first that fits decides, and what fits none is refused (docs/reference/policy.md).

[[rule]]
name = "officials"
from = ["verified"]
to = ["verified", "room"]
require = "omemo"
extras = ["invitations"]  # into rooms; the few words that one may carry are readable
# devices = "announced"   # refuse keys for devices that nobody has; "approved" asks for the register (apostille officials devices)
stage = "enforce"     # "observe" only writes down what would be refused; "warn" delivers, and tells the sender
"""

_PROSODY = """\
-- Apostille's part of the Prosody configuration, made by `apostille init`. It holds the components' secret: keep it private.
apostille_gate_components = {{ {gates} }}
-- Prosody's own default collects all garbage after every 5 % of growth; this alone is worth a factor of about two in messages a second.
gc = {{ mode = "incremental"; threshold = 200; speed = 400 }}

"""

_COMPONENT = """
Component "{jid}"
	component_secret = "{secret}"
	component_conflict_resolve = "kick_old" -- after a crash the old connection may seem to live on
	disco_hidden = true -- nothing for clients to find
	modules_enabled = {{ "apostille_gate" }}
"""

_NEXT = """\
{folder}: settings, policy, keys and database are made.

Prosody's configuration (/etc/prosody/prosody.cfg.lua):
  1. copy the components' part to where Prosody, and nobody else, can read it:
       install -o root -g prosody -m 640 {folder}/prosody.cfg.lua /etc/prosody/apostille.cfg.lua
     and in the global part at the top:
       plugin_paths = {{ "{modules}" }}
       Include "/etc/prosody/apostille.cfg.lua"
  2. under VirtualHost "{domain}":
       authentication = "apostille"
       apostille_authentication = "internal_hashed"  -- or what stood in authentication before
     and in modules_enabled:
       "apostille_gate"; "apostille_rosters";
  3. under Component "{rooms}" "muc", and under every other Component, in modules_enabled:
       "apostille_gate";
  4. if you want a second line (Debian package prosody-modules), in the global part:
       firewall_scripts = {{ "{firewall}" }}
     and "firewall"; in modules_enabled beside each "apostille_gate";

Then:
  apostille -c {folder}/{settings} officials import --units UNITS.toml OFFICIALS.csv
  apostille -c {folder}/{settings} serve
  apostille -c {folder}/{settings} doctor

The ledger's public key; give it to your auditors:
  {vkey}
"""


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--domain", metavar="DOMAIN", required=True, help="The domain of the officials' JIDs, for example gov.example.")
@click.option("--rooms", metavar="DOMAIN", help="The domain of the group chat service (default: rooms.DOMAIN).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the XMPP server listens for components.")
@click.option("--port", default=5347, show_default=True, type=click.IntRange(1, 65535), help="Its component port.")
@click.option("--gates", default=1, show_default=True, type=click.IntRange(1, MOST_GATES), help="How many gate components to run.")
@answers
def init(folder: Path, domain: str, rooms: str | None, host: str, port: int, gates: int) -> None:
    """Make a new installation in DIR: settings, policy, keys and database; print the lines for the server's configuration."""
    served = _host(domain)
    rooms = _host(rooms or f"rooms.{served}")
    folder = folder.resolve()
    for name in _FILES:
        if (folder / name).exists():
            no(f"{folder / name} is there already; nothing was changed. Name an empty folder")
    if "?" in str(folder):
        no(f"{folder}: a ? ends the path in a database's URL; name a folder without one")
    secret = secrets.token_urlsafe(32)
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        _write(folder / "component.secret", f"{secret}\n".encode())
        _write(folder / "ledger.key", key)
        _write(folder / "prosody.cfg.lua", _prosody(served, gates, secret).encode(), 0o640)
        _write(folder / "policy.toml", _POLICY.encode(), 0o640)
        # Last: where this file is, the installation is whole.
        _write(folder / DEFAULT_FILE, _SETTINGS.format(domain=served, host=host, port=port, rooms=rooms, gates=gates).encode(), 0o640)
    except FileExistsError as error:
        no(f"{error.filename} is there already: somebody else makes an installation here")
    except OSError as error:
        raise Fault(f"{error.filename or folder}: {error.strerror}") from None
    settings = bootstrap.settings_at(str(folder / DEFAULT_FILE))
    engine = open_database(settings.database_url)
    migrations.upgrade(engine)
    signer = bootstrap.signer(settings)
    Ledger(SqlLog(engine), signer)  # begins the ledger: an empty tree under a signed checkpoint
    click.echo(
        _NEXT.format(
            folder=folder,
            domain=served,
            rooms=rooms,
            settings=DEFAULT_FILE,
            modules=_beside("modules"),
            firewall=_beside("apostille.pfw"),
            vkey=signer.vkey,
        ).rstrip()
    )


def _prosody(domain: str, gates: int, secret: str) -> str:
    names = [f"gate{number if number > 1 else ''}.{domain}" for number in range(1, gates + 1)]
    listed = ", ".join(f'"{name}"' for name in names)
    components = [_COMPONENT.format(jid=name, secret=secret) for name in (*names, f"rosters.{domain}")]
    return _PROSODY.format(gates=listed) + "".join(components)


def _host(text: str) -> str:
    """A prepared domain that may stand between quotes in TOML and Lua."""
    found = address(text)
    if found.local or not re.fullmatch(r"[\w.-]+", found.domain):
        raise Refusal(Reason.MALFORMED, f"{text!r} is no domain; write one like gov.example")
    return found.domain


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)


def _beside(name: str) -> str:
    prosody = Path(__file__).resolve().parents[3] / "deploy" / "prosody"
    return str(prosody / name) if prosody.is_dir() else f"/path/to/apostille/deploy/prosody/{name}"
