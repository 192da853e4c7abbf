"""`apostille officials devices`: the register of devices, as a registrar reads and changes it.

Knows how to print; refuses to know what an approval means.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from apostille import bootstrap
from apostille.cli.answers import answers, as_json
from apostille.devices.rules import Device, State, heard
from apostille.devices.words import day, fingerprint, line, version

_COLOURS = {State.APPROVED: "green", State.SEEN: "yellow", State.REVOKED: "red", State.RETIRED: "red"}


@click.group()
def devices() -> None:
    """OMEMO devices of officials: list, approve, revoke, stale."""


@devices.command("list")
@click.argument("official", required=False)
@click.option("--json", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def list_(settings: str | None, official: str | None, json: bool) -> None:
    """List the devices of an official, or of all accounts."""
    _print(bootstrap.devices(settings).listed(_account(official) if official else None), json=json)


@devices.command()
@click.argument("official")
@click.argument("device", type=int)
@click.option("--label", default="", metavar="TEXT", help="What to call the device; at most 64 characters.")
@click.pass_obj
@answers
def approve(settings: str | None, official: str, device: int, label: str) -> None:
    """Approve a device, in each OMEMO version in which it was announced."""
    _print(bootstrap.devices(settings).approve(_account(official), device, _registrar(), label))


@devices.command()
@click.argument("official")
@click.argument("device", type=int)
@click.pass_obj
@answers
def revoke(settings: str | None, official: str, device: int) -> None:
    """Revoke a device: no account can approve it again by itself."""
    _print(bootstrap.devices(settings).revoke(_account(official), device, _registrar()))


@devices.command()
@click.option("--retire", is_flag=True, help="Retire them: none is approved any more.")
@click.option("--json", is_flag=True, help="Answer in JSON.")
@click.pass_obj
@answers
def stale(settings: str | None, retire: bool, json: bool) -> None:
    """List approved devices that nothing was heard of for `devices.stale_days`."""
    register = bootstrap.devices(settings)
    _print(register.retire_stale(_registrar()) if retire else register.stale(), json=json)


def _account(official: str) -> str:
    from apostille.xmpp import address

    return str(address(official))


def _registrar() -> str:
    """Who sits at the machine, as the session there says."""
    return os.environ.get("SUDO_USER") or os.environ.get("LOGNAME") or f"uid {os.getuid()}"


def _print(found: Sequence[Device], *, json: bool = False) -> None:
    if json:
        as_json([_told(device) for device in found])
        return
    account = None
    for device in found:
        if device.account != account:
            account = device.account
            click.secho(account, bold=True)
        click.echo(f"  {click.style(line(device), fg=_COLOURS[device.state])}")
    click.echo(f"{len(found)} {'device' if len(found) == 1 else 'devices'}")


def _told(device: Device) -> dict[str, object]:
    decision = device.decision
    return {
        "official": device.account,
        "device": device.id.number,
        "version": version(device.id.namespace),
        "state": device.state.value,
        "announced": device.listed,
        "fingerprint": fingerprint(device),
        "label": device.label,
        "first_seen": day(device.first_seen),
        "last_used": day(device.last_used) if device.last_used else None,
        "last_heard": day(heard(device)),
        "decision": decision.state.value if decision else None,
        "decided_by": decision.by if decision else None,
        "decided_means": decision.means if decision else None,
        "decided": day(decision.at) if decision else None,
    }
