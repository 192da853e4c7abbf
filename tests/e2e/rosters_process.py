"""What the end-to-end tests of the rosters run in another process, because a component breaks a client's stanza errors.

`serve PORT FOLDER` runs the component over a tree in a JSON file; `raw PORT JID` sends what stands on its standard input, as an
IQ set of that component, and prints the answer or the condition of the error.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from slixmpp.exceptions import IqError

from apostille.database import metadata, open_database
from apostille.rosters.component import RostersComponent
from apostille.rosters.rules import Member
from apostille.rosters.service import Rosters
from apostille.rosters.store import SqlApplied
from apostille.vocabulary import Address
from apostille.xmpp import Component

DOMAIN = "gov.example"




class FileTree:
    """The tree in a JSON file: everybody's unit by local part."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def revision(self) -> int:
        return hash(self._path.read_text("utf-8"))

    def members(self) -> list[Member]:
        units = json.loads(self._path.read_text("utf-8"))
        return [Member(Address(DOMAIN, name), name, unit, "clerk", 1) for name, unit in units.items()]

    def units(self) -> dict[str, str]:
        return {}


async def serve(port: int, folder: Path) -> None:
    engine = open_database(f"sqlite:///{folder}/apostille.sqlite")
    metadata.create_all(engine)
    service = Rosters(FileTree(folder / "tree.json"), SqlApplied(engine))
    component = RostersComponent(f"rosters.{DOMAIN}", "secret", "127.0.0.1", port, domain=DOMAIN, service=service)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, component.stop)
    await component.serve()


async def raw(port: int, jid: str) -> str:
    component = Component(jid, "secret", "127.0.0.1", port)
    serving = asyncio.create_task(component.serve())
    await component.wait_until("session_start", timeout=5)
    iq = component.make_iq_set(ito=DOMAIN)
    iq.append(ET.fromstring(sys.stdin.read()))
    try:
        return str(await iq.send(timeout=50))  # type: ignore[no-untyped-call]
    except IqError as error:
        return str(error.condition)
    finally:
        component.stop()
        await serving


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(int(sys.argv[2]), Path(sys.argv[3])))
    else:
        print(asyncio.run(raw(int(sys.argv[2]), sys.argv[3])))
