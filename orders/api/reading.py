"""Reads orders out of parsed requests of `/api/v1/`. Free of HTTP."""

from typing import Any

from msgspec.structs import replace

from brokers.types import Principal
from common.api.fields import FieldReader
from orders.api.queries import AccountQuery
from orders.api.requests import BookingRequest, DealRequest, PlaceOrderRequest
from orders.models import Order


def read_order_request(body: Any, principal: Principal) -> PlaceOrderRequest:
    """The order that a parsed JSON body describes, with its time in force.

    Raises:
        ValidationFailed: names every field that is missing, wrong or unknown.
    """
    reader = FieldReader.of_body(body)
    request = reader.struct(PlaceOrderRequest)
    if request.account_id is not None and request.document_number is not None:
        reader.refuse("document_number", "ambiguous", "Give account_id or document_number.")
    if request.account_id is None and request.document_number is None:
        _need_bound_account(reader, principal, "Give account_id or document_number.")
    reader.finish()
    if request.time_in_force:
        return request
    return replace(request, time_in_force=_default_time_in_force(request))


def read_deal_request(body: Any, principal: Principal) -> DealRequest:
    """What a JSON body wants to deal.

    Raises:
        ValidationFailed: names every field that is missing, wrong or unknown.
    """
    reader = FieldReader.of_body(body)
    request = reader.struct(DealRequest)
    if request.account_id is None:
        _need_bound_account(reader, principal, "Whose trade it is.")
    reader.finish()
    return request


def read_booking_request(body: Any) -> BookingRequest:
    """The execution elsewhere that a JSON body describes.

    Raises:
        ValidationFailed: names every field that is missing, wrong or unknown.
    """
    reader = FieldReader.of_body(body)
    request = reader.struct(BookingRequest)
    reader.finish()
    return request


def read_one_account_id(reader: FieldReader, principal: Principal, detail: str) -> int:
    """The account of a query string, or else the one that the key is bound to.

    Raises:
        ValidationFailed: there is neither (`detail` says whose it is), or another field is wrong.
    """
    account_id = reader.struct(AccountQuery).account_id
    if account_id is None:
        account_id = principal.account_id
        _need_bound_account(reader, principal, detail)
    reader.finish()
    assert account_id is not None, "finish() has refused"
    return account_id


def _need_bound_account(reader: FieldReader, principal: Principal, detail: str) -> None:
    if principal.account_id is None:
        reader.refuse("account_id", "required", detail)


def _default_time_in_force(request: PlaceOrderRequest) -> str:
    if request.order_type == Order.Type.MARKET:
        return Order.TimeInForce.IOC.value
    is_good_till_canceled = request.valid_until is None
    return (Order.TimeInForce.GTC if is_good_till_canceled else Order.TimeInForce.GTD).value
