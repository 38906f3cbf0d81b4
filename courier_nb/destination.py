"""`AsyncDestination`: a queue or exchange, with the API's operations and the verbs that are made of them."""

from __future__ import annotations

from courier_nb.moving import MovingVerbs
from courier_nb.publishing import PublishingVerbs
from courier_nb.settling import SettlingVerbs


class AsyncDestination(MovingVerbs, SettlingVerbs, PublishingVerbs):
    """A queue or exchange. Get one from `AsyncClient.destination`; making it asks the service nothing.

    Inherits the nine operations of the API (`DestinationCalls`), what takes messages (`ReceivingVerbs`), what settles them
    (`SettlingVerbs`), what puts them back (`PublishingVerbs`) and what moves them (`MovingVerbs`).
    """
