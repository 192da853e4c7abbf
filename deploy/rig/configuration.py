"""The Prosody configuration of the rig, as text: what is switched on, and why.

Pure: knows Prosody's options and where Debian puts its parts, starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig.certificates import Certificates

SOURCE = Path("/usr/lib/prosody")
MODULES = SOURCE / "modules"  # Debian unpacks prosody-modules into the same folder

HOST_MODULES = (
    "roster saslauth tls disco carbons pep mam smacks offline blocklist vcard4 vcard_legacy "
    "bookmarks ping csi_simple posix"
).split()


RIG_MODULES = Path(__file__).with_name("modules")


@dataclass(frozen=True)
class Network:
    """What a server offers beyond clients with TLS and components; all of it is off by default.

    Attributes:
        plaintext: clients may log in without TLS.
        http: BOSH (XEP-0124) and websocket (RFC 7395), without TLS on loopback.
        federation: other servers, authenticated by their certificates (SASL EXTERNAL).
        bidi: one connection for both directions (XEP-0288).
    """

    plaintext: bool = False
    http: bool = False
    federation: bool = False
    bidi: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that one configuration file says."""

    folder: Path
    domain: str
    rooms: str
    c2s_port: int
    component_port: int
    certificates: Certificates
    as_root: bool
    debug: bool
    modules_dir: Path | None = None
    host_modules: Sequence[str] = ()
    muc_modules: Sequence[str] = ()
    components: Mapping[str, str] = field(default_factory=dict)
    component_modules: Sequence[str] = ()
    extra: str = ""
    host_extra: str = ""
    network: Network = Network()
    s2s_port: int = 0
    http_port: int = 0
    peers: Mapping[str, int] = field(default_factory=dict)


def quote(text: str) -> str:
    """A Lua string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def listed(items: Iterable[str]) -> str:
    """A Lua array of strings."""
    return "{ " + "; ".join(quote(item) for item in items) + " }"


def render(plan: Plan) -> str:
    """The whole file. Order matters: `extra` may override any global line above it."""
    return "\n".join([*_general(plan), plan.extra, *_host(plan), *_rooms(plan), *_externals(plan)])


def _general(plan: Plan) -> list[str]:
    paths = [str(RIG_MODULES), *([str(plan.modules_dir)] if plan.modules_dir else [])]
    logs = [f"info = {quote(str(plan.folder / 'prosody.log'))}"]
    if plan.debug:
        logs.append(f"debug = {quote(str(plan.folder / 'debug.log'))}")
    return [
        f"plugin_paths = {listed([*paths, str(MODULES)])}",
        f"data_path = {quote(str(plan.folder / 'data'))}",
        f"pidfile = {quote(str(plan.folder / 'prosody.pid'))}",
        "log = { " + "; ".join(logs) + " }",
        f"run_as_root = {_lua(plan.as_root)}",
        f"modules_enabled = {listed([*HOST_MODULES, *_network_modules(plan.network)])}",
        # Nothing listens but what is asked for: the system's own Prosody may be running.
        f"modules_disabled = {listed([] if plan.network.federation else ['s2s'])}",
        "c2s_direct_tls_ports = {}; s2s_direct_tls_ports = {}; https_ports = {}",
        *_federation(plan),
        *_http(plan),
        f'c2s_ports = {{ {plan.c2s_port} }}; c2s_interfaces = {{ "127.0.0.1" }}',
        f'component_ports = {{ {plan.component_port} }}; component_interfaces = {{ "127.0.0.1" }}',
        f"c2s_require_encryption = {_lua(not plan.network.plaintext)}; allow_unencrypted_plain_auth = {_lua(plan.network.plaintext)}",
        f"certificates = {quote(str(plan.certificates.certificate.parent))}",
        f"ssl = {{ certificate = {quote(str(plan.certificates.certificate))}; "
        f"key = {quote(str(plan.certificates.key))}; cafile = {quote(str(plan.certificates.ca))} }}",
        'authentication = "internal_hashed"; storage = "internal"',
        # RFC 5802's minimum: slixmpp derives the key in pure Python at every login.
        "default_iteration_count = 4096",
        'archive_expires_after = "1d"; muc_log_expires_after = "1d"',
        # Prosody's default collects all garbage after 5 % of growth, and spends half its time on that.
        'gc = { mode = "incremental"; threshold = 200; speed = 400 }',
        # At 10,000 messages of one account the default rewrites the whole archive every hundred messages, for seconds.
        "storage_archive_item_limit = 1000000",
        "network_settings = { nagle = false; tcp_backlog = 512 }",
        "allow_registration = false",
    ]


def _lua(value: bool) -> str:
    return "true" if value else "false"


def _network_modules(network: Network) -> list[str]:
    return [
        *(["bosh", "websocket"] if network.http else []),
        *(["rig_peers"] if network.federation else []),
        *(["s2s_bidi"] if network.bidi else []),
    ]


def _federation(plan: Plan) -> list[str]:
    if not plan.network.federation:
        return ["s2s_ports = {}"]
    peers = "; ".join(f"[{quote(domain)}] = {port}" for domain, port in plan.peers.items())
    return [
        f's2s_ports = {{ {plan.s2s_port} }}; s2s_interfaces = {{ "127.0.0.1" }}',
        "s2s_require_encryption = true; s2s_secure_auth = true",
        f"rig_peers = {{ {peers} }}",
    ]


def _http(plan: Plan) -> list[str]:
    if not plan.network.http:
        return ["http_ports = {}"]
    return [
        f'http_ports = {{ {plan.http_port} }}; http_interfaces = {{ "127.0.0.1" }}; http_default_host = {quote(plan.domain)}',
        "consider_bosh_secure = true; consider_websocket_secure = true",
    ]


def _host(plan: Plan) -> list[str]:
    return [
        f"VirtualHost {quote(plan.domain)}",
        f"modules_enabled = {listed(plan.host_modules)}",
        plan.host_extra,
    ]


def _rooms(plan: Plan) -> list[str]:
    return [
        f'Component {quote(plan.rooms)} "muc"',
        f"modules_enabled = {listed(['muc_mam', *plan.muc_modules])}",
        "restrict_room_creation = false; muc_log_by_default = true",
    ]


def _externals(plan: Plan) -> list[str]:
    lines: list[str] = []
    for jid, secret in plan.components.items():
        lines += [
            f"Component {quote(jid)}",
            f"component_secret = {quote(secret)}",
            f"modules_enabled = {listed(plan.component_modules)}",
        ]
    return lines
