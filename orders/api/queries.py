"""The query strings of orders and market data under `/api/v1/`."""

from typing import Annotated

from msgspec import Meta

from common.api.declarations import Request, RowId


class AccountQuery(Request, frozen=True):
    """Whose it is."""

    account_id: Annotated[
        RowId | None, Meta(description="Not needed where the key is bound to an account.")
    ] = None


class DepthQuery(Request, frozen=True):
    """How much of a book is shown."""

    depth: Annotated[int, Meta(ge=1, le=50, description="Levels of each side.")] = 10
