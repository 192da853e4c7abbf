"""A throw-away certificate authority: what a client must trust to believe this one server.

Knows the openssl command line and nothing of XMPP beyond that a server is named by
dNSName entries (RFC 7590 section 3.4).
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """Where the authority's certificate and the server's pair were written."""

    ca: Path
    certificate: Path
    key: Path


def issue(folder: Path, names: Sequence[str], authority: Path | None = None) -> Certificates:
    """Have one certificate for all `names` signed by the authority in the folder `authority`, or else by one made in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    ca, ca_key = (authority or folder) / "ca.pem", (authority or folder) / "ca.key"
    certificate, key = folder / "server.pem", folder / "server.key"
    if not (ca.exists() and certificate.exists()):
        alternatives = ",".join(f"DNS:{name}" for name in names)
        if authority is None:
            _request(ca_key, ca, "/CN=Rig throw-away CA", "keyUsage=critical,keyCertSign,cRLSign")
        _request(
            key,
            certificate,
            f"/CN={names[0]}",
            f"subjectAltName={alternatives}",
            "basicConstraints=critical,CA:FALSE",
            "extendedKeyUsage=serverAuth,clientAuth",  # a server is a client of its peers
            issuer=(ca, ca_key),
        )
    return Certificates(ca=ca, certificate=certificate, key=key)


def _request(
    key: Path, out: Path, subject: str, *extensions: str, issuer: tuple[Path, Path] | None = None
) -> None:
    line = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    line += ["-nodes", "-days", "30", "-subj", subject, "-keyout", str(key), "-out", str(out)]
    for extension in extensions:
        line += ["-addext", extension]
    if issuer is not None:
        line += ["-CA", str(issuer[0]), "-CAkey", str(issuer[1])]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl could not make {out.name}: {done.stderr.strip()}")
