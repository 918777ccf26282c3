"""Expires what is due. Pure."""

from orders.commands import ExpireDue
from orders.engine.core.batch import Batch
from orders.engine.core.handlers.base import Handled, ResultHandler
from orders.types import Result


class ExpireDueHandler(ResultHandler[ExpireDue]):
    """It needs nothing: what is due has expired before the first command of any batch."""

    def run(self, command: ExpireDue, batch: Batch) -> Handled:
        return Result.DONE, None
