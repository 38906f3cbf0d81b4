"""Where the calls go: the broker's URL, organization, environment, and the path of a destination."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from courier_nb.core.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Place:
    """Where the calls go.

    Attributes
    ----------
    broker_url : str
        Ends in ``/api/v1``.
    organization, environment : str
        Ids.
    """

    broker_url: str
    organization: str
    environment: str

    def destination_url(self, destination: str) -> str:
        return (
            f"{self.broker_url}/organizations/{segment(self.organization)}/environments/{segment(self.environment)}"
            f"/destinations/{segment(destination)}"
        )


def segment(value: str) -> str:
    """Return a value as one segment of a URL's path."""
    # Ids hold '/', '+' and '=' (lock ids always do), and a dot segment would be resolved away before it is sent.
    if value in ("", ".", ".."):
        raise InvalidArgument(f"{value!r} cannot be part of a URL path; use the batch call, which carries ids in its body.")
    return quote(value, safe="", errors="surrogatepass")
