"""The doctor's visit: what was given, who we are, what we may do, whether it is there; then, with consent, the probes."""

from __future__ import annotations

from pathlib import Path

from courier_nb.core.errors import CourierError, InvalidArgument
from courier_nb.core.guards import refuse_if_read_only
from courier_nb.core.progress import Counter, show
from courier_nb.doctor import probing
from courier_nb.doctor.caller import Caller
from courier_nb.doctor.given import given_settings
from courier_nb.doctor.regions import clocks, regions
from courier_nb.doctor.report import Check, DoctorReport
from courier_nb.doctor.rights import rights, unknown_rights
from courier_nb.doctor.subject import look_at
from courier_nb.wire.session import Session

_KINDS = {
    "client_app": "MQ client app: for the broker of one environment only",
    "connected_app": "connected app: does what its scopes allow",
    "user": "user: does what the user may do",
    "bearer": "ready-made bearer token: what it may do is seen below",
}


async def examine(
    session: Session,
    destination: str | None = None,
    *,
    reach: bool = True,
    probe: str | None = None,
    consent: bool = False,
    exchange: str | None = None,
    large: bool = False,
    broker_config: str | Path | None = None,
    progress: bool = True,
) -> DoctorReport:
    """Look at everything that can be seen without changing anything, and probe a queue if that is consented to.

    Parameters are those of `AsyncClient.doctor`.
    """
    if probe is None and (consent or exchange or large or broker_config):
        raise InvalidArgument("consent, exchange, large and broker_config are about probing: name the queue with probe=.")
    if probe is not None and consent:
        refuse_if_read_only("probe", probe, read_only=session.settings.read_only)
    calls_before = session.sender.calls
    present = None if probe is None else probing.present_switches(broker_config)  # a wrong file is said before anything is asked
    checks = given_settings(session.settings)
    caller = await _introduce(session, checks)
    plan = findings = None
    if caller is not None:
        subject = None if probe is None else await look_at(caller, probe, exchange=exchange, large=large)
        checks.append(await _production(session))
        checks += await rights(caller, destination or probe)
        checks += await regions(session, caller, reach=reach)
        checks += clocks(caller)
        if subject is not None:
            plan = probing.plan(subject)
        if subject is not None and present is not None and consent:
            counter = Counter(f"probing {subject.queue}", unit="probe")
            async with show(counter, progress):
                findings = await probing.probe(session, caller, subject, present, counter=counter)
    return DoctorReport(checks, plan=plan, probes=findings, calls=session.sender.calls - calls_before)


async def _production(session: Session) -> Check:
    """Say whether the environment is production, as far as anybody says."""
    found = await session.production()
    source = session.settings.sources.get("production", "given in code")
    if found is None:
        nobody = "neither the settings nor the Accounts API say"
        return Check("production", "unknown", nobody, "set production, if destructive verbs are to ask for the queue's name")
    asks = "destructive verbs ask for the queue's name" if found else "destructive verbs ask for nothing"
    return Check("production", "ok", f"{'yes' if found else 'no'}: {asks} ({source})")


async def _introduce(session: Session, checks: list[Check]) -> Caller | None:
    """Find out who we are; return None, and say why, when nothing can be called."""
    try:
        token = await session.tokens.current()
    except CourierError as error:
        checks.append(Check("credentials", "problem", str(error), "check the settings above"))
        checks += unknown_rights("no token")
        return None
    checks.append(Check("credentials", "ok", _KINDS[token.kind]))
    try:
        place = (await session.operations()).place
    except CourierError as error:
        checks.append(Check("environment", "problem", str(error), "give what is missing"))
        checks += unknown_rights("organization, environment or broker is not known")
        return None
    found = f"organization {place.organization}, environment {place.environment}, broker {place.broker_url}"
    checks.append(Check("environment", "ok", found))
    return Caller(session, place)
