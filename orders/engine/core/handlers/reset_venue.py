"""Resets the venue. Pure, as it leaves that to the pipeline."""

from orders.commands import ResetVenue
from orders.engine.core.handlers.base import Handler


class ResetVenueHandler(Handler[ResetVenue]):
    """A reset is part of no batch: the pipeline empties the tables between two."""

    runs_alone = True
