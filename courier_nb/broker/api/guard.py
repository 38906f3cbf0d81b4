"""Keeps web pages away from a served broker.

A page in a browser on this machine can send requests to loopback addresses too: directly, which shows in what the browser adds
(``Origin``, ``Sec-Fetch-Site``), or under a name of its own that it lets point here, which shows in ``Host``.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from courier_nb.broker.api.web import Refusal, Scope
from courier_nb.core.checks import is_loopback

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
_SHOWN = 100
_FROM_NO_PAGE = (b"none", b"same-origin")


class Guard:
    """Refuses requests that a web page may have made.

    Parameters
    ----------
    host : str
        What the broker was told to listen on.
    address : str
        The address that this is. Beyond loopback, every address and this machine's own name are accepted too.
    allowed : iterable of str
        Further names and addresses by which the broker may be reached.
    """

    def __init__(self, host: str, address: str, allowed: Iterable[str] = ()) -> None:
        self._names = {_plain(name) for name in (host, address, *allowed)}
        self._is_open = not is_loopback(address)
        if self._is_open:
            own = socket.gethostname().lower()
            self._names |= {own, own.partition(".")[0]}
        self._is_ours = lru_cache(maxsize=64)(self._judge)

    def check(self, scope: Scope) -> None:
        """Look at the headers of a request.

        Raises
        ------
        Refusal
            400 without a usable ``Host``; 403 for a host that is not this broker, and for what comes from a web page.
        """
        hosts = []
        for name, value in scope["headers"]:
            if name == b"host":
                hosts.append(value)
            elif name == b"origin" or (name == b"sec-fetch-site" and value.strip().lower() not in _FROM_NO_PAGE):
                raise Refusal(
                    403,
                    f"The request comes from a web page ({name.decode('ascii').title()}), and web pages may not use the local"
                    " broker.",
                )
        if not hosts and scope.get("http_version") == "1.0":
            return
        if len(hosts) != 1:
            raise Refusal(400, "Expected one Host header.")
        if not self._is_ours(hosts[0]):
            raise Refusal(
                403,
                f"The Host header says {hosts[0][:_SHOWN].decode('latin-1')!r}, which is not this broker: use localhost or an"
                " address of this machine, or start the broker with --allow-host NAME (allowed_hosts in its configuration).",
            )

    def _judge(self, header: bytes) -> bool:
        found = _HOST.fullmatch(header.decode("latin-1").strip())
        if found is None:
            raise Refusal(400, "The Host header is neither a name nor an address.")
        host = _plain(found[1])
        return is_loopback(host) or host in self._names or (self._is_open and _address(host) is not None)


def _plain(host: str) -> str:
    """Return a host in the one form in which hosts are compared."""
    host = host.strip("[]").removesuffix(".").lower()
    address = _address(host)
    return host if address is None else str(address)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
