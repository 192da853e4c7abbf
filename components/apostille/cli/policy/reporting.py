"""`apostille policy report`: what the stages observe and warn let pass, and how much is encrypted."""

from __future__ import annotations

from functools import lru_cache

import click

from apostille.cli.answers import answers, as_json
from apostille.cli.policy import sources
from apostille.policy.tallies import Tally
from apostille.vocabulary import Party

CLIENTS = "Clients are not told: a record keeps a hash of the session's name and not which program it was."
_BAR = 30


@click.command()
@click.option("--since", metavar="TIME", help="From this time on (ISO 8601; UTC unless it says otherwise; or 2h, 3d, 1w ago).")
@click.option("--until", metavar="TIME", help="Before this time.")
@click.option("--json", "json_", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def report(settings: str | None, since: str | None, until: str | None, json_: bool) -> None:
    """Count in the ledger what passed although its rule objects, by unit, rule and code, and what share was encrypted.

    Units are those of today's directory. Content-free messages are not recorded, so they are not counted.
    """
    first = int(sources.moment(since, "--since").timestamp() * 1000) if since else 0
    last = int(sources.moment(until, "--until").timestamp() * 1000) if until else 2**62
    seats, now = sources.seats(settings), sources.now()

    @lru_cache(100_000)
    def unit_of(jid: str) -> str:
        side = seats.seat(jid, now)
        return side.units[0] if side.party is Party.VERIFIED and side.units else f"({side.party.value})"

    tally = Tally(unit_of)
    for record in sources.judged(settings, since=first, until=last):
        tally.add(record)
    if json_:
        _tell(tally)
    else:
        _print(tally)


def _tell(tally: Tally) -> None:
    span, coverage = tally.coverage()
    rows = [
        {"unit": row.unit, "rule": row.rule, "code": row.code, "messages": count.messages, "senders": len(count.senders)}
        for row, count in sorted(tally.rows.items())
    ]
    spans = [
        {"first": str(one.first), "messages": one.messages, "encrypted": one.encrypted, "share": round(one.share, 4)} for one in coverage
    ]
    as_json({"messages": tally.messages, "would_be_refused": rows, "coverage": {"by": span, "spans": spans}, "clients": None})


def _print(tally: Tally) -> None:
    if not tally.messages:
        click.echo("The ledger holds no message of that time.")
        return
    if tally.rows:
        width = max(4, *(len(row.unit) for row in tally.rows))
        click.secho(f"{'unit':<{width}}  messages  senders  code, rule", bold=True)
        for row, count in sorted(tally.rows.items(), key=lambda item: (-item[1].messages, item[0])):
            click.echo(f"{row.unit:<{width}}  {count.messages:>8}  {len(count.senders):>7}  {row.code}, {row.rule}")
    else:
        click.echo("Nothing passed that its rule objects to.")
    click.echo(CLIENTS)
    span, coverage = tally.coverage()
    click.secho(f"encrypted, by {span} (UTC)", bold=True)
    for one in coverage:
        bar = "#" * round(one.share * _BAR)
        click.echo(f"{one.first}  {bar:<{_BAR}}  {one.share:>4.0%} of {one.messages}")
