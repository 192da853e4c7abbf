"""`deploy/demo`: set the stage, play the scenario, and keep the government running for your own client."""

from __future__ import annotations

import asyncio
import csv
import logging
import shutil
import signal
import sys
import time
from pathlib import Path

import click

from rig.installation import DOMAIN, SAMPLE, Installation, in_folder
from scenario import conversation, proof
from scenario.stage import PASSWORD, Book, Stage


def _accounts() -> list[dict[str, str]]:
    with (SAMPLE / "officials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def _play(book: Book, installation: Installation) -> None:
    stage = Stage(installation)

    async def imported() -> tuple[bool, str]:
        first = (await asyncio.to_thread(installation.import_sample)).strip().splitlines()[-2]
        again = (await asyncio.to_thread(installation.import_sample)).strip().splitlines()[-1]
        units = {entry["unit"] for entry in installation.answer("officials", "list")}
        deep = max(unit.count("/") + 1 for unit in units if unit)
        organisations = {unit.partition("/")[0] for unit in units if unit}
        ok = len(organisations) == 3 and deep == 4
        return ok, f"{first}; {len(organisations)} organisations, {deep} levels deep; second import: {again}"

    await book.play("the sample government is imported", "3 organisations, 4 levels, about 40 officials; twice is once", imported)
    await asyncio.to_thread(installation.serve)
    cast = await conversation.assemble(stage)
    try:
        await conversation.rosters(book, stage, cast)
        await conversation.plaintext(book, stage, cast)
        await conversation.encrypted(book, stage, cast)
        await conversation.rooms(book, stage, cast)
        await proof.standing(book, stage, cast)
        await proof.outage(book, stage, cast)
        await proof.evidence(book, stage, cast)
    finally:
        await cast.meera.quit()
        await stage.close()


def _invite(installation: Installation) -> None:
    prosody = installation.prosody
    click.echo()
    click.secho("The government keeps running. Log in with your own client:", bold=True)
    click.echo(f"  server    127.0.0.1, port {prosody.c2s_port}, STARTTLS (authority: {prosody.ca})")
    click.echo(f"  password  {PASSWORD}  (for everyone)")
    click.echo("  for example Profanity:")
    click.echo(f"    /connect boris.volkov@{DOMAIN} server 127.0.0.1 port {prosody.c2s_port} tls trust")
    click.echo("  accounts:")
    for account in _accounts():
        names = " / ".join(account[name] for name in ("name", "name_ru", "name_hi") if account[name])
        click.echo(f"    {account['jid']:<34} {names}" + ("  (suspended)" if account["standing"] == "suspended" else ""))
    click.echo(f"  commands  apostille -c {installation.settings} officials list")
    click.echo("Ctrl-C ends it and removes everything.")
    sys.stdout.flush()


@click.command()
@click.option("--once", is_flag=True, help="End after the scenario; status 0 only if every step was as expected.")
@click.option("--json", "json_", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the steps to FILE.")
@click.option("--port-base", metavar="N", type=click.IntRange(1024, 65534), help="Use ports N and N+1 (default: free ones).")
@click.option("--keep", is_flag=True, help="Leave the state folder behind, for looking into logs.")
def main(once: bool, json_: Path | None, port_base: int | None, keep: bool) -> None:
    """Start a real Prosody with Apostille and a sample government, play the scenario with real clients, and keep running."""
    logging.getLogger().setLevel(logging.CRITICAL)  # the OMEMO library warns of every fresh device
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    folder = in_folder("demo")
    book = Book()
    installation: Installation | None = None
    try:
        installation = Installation(folder, ports=port_base, debug=keep)
        installation.prosody.register((account["jid"].partition("@")[0], PASSWORD) for account in _accounts())
        installation.prosody.start()
        click.echo(f"Prosody listens on 127.0.0.1:{installation.prosody.c2s_port}; state in {folder}")
        asyncio.run(_play(book, installation))
        click.echo(f"{sum(step.ok for step in book.steps)} of {len(book.steps)} steps as expected, {time.monotonic() - began:.0f} s")
        if json_ is not None:
            book.write(json_)
        if not once:
            _invite(installation)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        click.echo("Ending.")
    finally:
        if installation is not None:
            installation.stop()
        if keep:
            click.echo(f"state left in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if book.ok else 1)


if __name__ == "__main__":
    main()
