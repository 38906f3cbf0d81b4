"""``doctor``: what stands between this machine and the service, and how the service behaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from courier_nb.blocking import Client
from courier_nb.cli.host import current_host
from courier_nb.cli.options import connected
from courier_nb.cli.output import emit, json_is_wanted, show_bars
from courier_nb.core.errors import ConfigError
from courier_nb.doctor.findings import ProbeReport
from courier_nb.doctor.report import DoctorReport
from courier_nb.doctor.writing import check_broker_file, read_profiles
from courier_nb.frames.text import plain

_FILE = click.Path(path_type=Path)
_ONLY_WITH_PROBE = ("yes", "exchange", "large", "broker_config", "write_broker", "write_profile")


@click.command(short_help="Check settings, rights, clock and regions.")
@click.option("--destination", metavar="NAME", help="Where the rights to subscribe and publish are tried; default: any queue.")
@click.option("--no-reach", is_flag=True, help="Do not try each region's broker.")
@click.option("--probe", metavar="QUEUE", help="Try out on this empty throw-away queue what nobody outside can know.")
@click.option("--yes", is_flag=True, help="Probe without asking.")
@click.option("--exchange", metavar="NAME", help="See how reading this exchange is refused.")
@click.option("--large", is_flag=True, help="Upload more than 10 MB, to see how the size limit counts.")
@click.option("--broker-config", metavar="FILE", type=_FILE, help="Broker TOML to compare with; default: its defaults.")
@click.option("--write-broker", metavar="FILE", type=_FILE, help="Write the certain answers into this broker TOML.")
@click.option("--write-profile", metavar="NAME", help="Write the unit of lock changes into this profile.")
@connected
def doctor(
    client: Client, destination: str | None, no_reach: bool, write_broker: Path | None, write_profile: str | None, **wanted: Any
) -> int:
    """Say where each setting came from, what these credentials may do, how far the clocks are apart, which regions answer.

    Without --probe it reads only. With --probe QUEUE it says what it would try on that queue, and asks before it publishes
    messages of its own there, receives them and deletes them.
    """
    _refuse_without_probe({**wanted, "write_broker": write_broker, "write_profile": write_profile})
    _refuse_unwritable(write_broker, write_profile)
    consent = bool(wanted.pop("yes"))
    report = client.doctor(destination, reach=not no_reach, consent=consent, progress=show_bars(), **wanted)
    text = repr(report)
    if report.plan is not None and report.probes is None:
        _ask(report)
        # The queue is looked at once more: somebody may have used it while the question was read.
        probed = client.doctor(destination, reach=False, consent=True, progress=show_bars(), **wanted)
        report = DoctorReport(report.checks, plan=report.plan, probes=probed.probes, calls=report.calls + probed.calls)
        text = repr(report.probes)
    written, is_whole = _write(report.probes, write_broker, write_profile) if report.probes else ({}, True)
    lines = [text, *(f"{plain(where)}: {plain(what)}" for where, what in written.items())]
    emit({**_document(report), "written": written}, "\n".join(lines), None if written else report)
    if report.probes is not None and (report.probes.stopped or report.probes.left):
        is_whole = False
    return 0 if report.ok and is_whole else 1


def _refuse_without_probe(given: dict[str, Any]) -> None:
    for name in _ONLY_WITH_PROBE if given["probe"] is None else ():
        if given[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --probe QUEUE.")


def _refuse_unwritable(broker: Path | None, profile: str | None) -> None:
    """Refuse before anything is tried what could not be written afterwards."""
    if broker is not None:
        check_broker_file(broker)
    if profile is not None:
        read_profiles(profile, Path.home())


def _ask(report: DoctorReport) -> None:
    """Show what was found and what would be done, and go on only with consent."""
    checks = DoctorReport(report.checks, calls=report.calls)
    click.echo(f"{checks!r}\n\n{report.plan!r}", err=json_is_wanted())
    try:
        agreed = current_host().can_ask and click.confirm("Do this?", err=True)
    except click.Abort:  # nobody is there to answer
        agreed = False
    if not agreed:
        raise ConfigError("Nothing was published or received: it needs your consent, here or with --yes.", setting="yes")


def _write(probes: ProbeReport, broker: Path | None, profile: str | None) -> tuple[dict[str, str], bool]:
    """Write the answers where they were asked for; return what was written, or why not, by place, and whether all went well."""
    written: dict[str, str] = {}
    places: list[tuple[str, Callable[[], dict[str, Any]]]] = []
    if broker is not None:
        places.append((str(broker), lambda: probes.write_broker(broker)))
    if profile is not None:
        places.append((f"profile {profile}", lambda: {"lock_ttl_unit": probes.write_profile(profile)}))
    is_whole = True
    for place, write in places:
        try:
            written[place] = ", ".join(f"{switch} = {value}" for switch, value in write().items()) or "nothing is certain"
        except ConfigError as error:  # what was found out is worth showing all the same
            written[place] = f"nothing written: {error}"
            is_whole = False
    return written, is_whole


def _document(report: DoctorReport) -> dict[str, Any]:
    probes = report.probes
    return {
        "ok": report.ok,
        "checks": [asdict(check) for check in report.checks],
        "calls": report.calls,
        "probes": None if probes is None else [asdict(finding) for finding in probes],
        "stopped": "" if probes is None else probes.stopped,
        "left": 0 if probes is None else probes.left,
    }
