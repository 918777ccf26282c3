"""Old keys and commands are forgotten. Orders and trades are kept."""

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from common.purging import purge_oldest, purge_rows
from orders.models import EngineCommand, Order, OrderKey, RequestKey

_OPEN = (*Order.OPEN_STATUSES, Order.Status.PENDING)


def purge_engine_commands() -> int:
    """Forget old commands, in chunks; returns how many."""
    until = timezone.now() - settings.KEPT["ENGINE_COMMANDS_KEPT_DAYS"]
    return purge_rows(EngineCommand.objects.filter(created_at__lt=until).order_by("created_at"))


def purge_request_keys() -> int:
    """Forget old Idempotency-Keys of orders, in chunks; returns how many."""
    until = timezone.now() - settings.KEPT["REQUEST_KEYS_KEPT_DAYS"]
    return purge_rows(RequestKey.objects.filter(created_at__lt=until).order_by("created_at"))


def purge_order_keys() -> int:
    """Forget the client_order_ids of old orders that are closed, in chunks; returns how many.

    Such an id can be used again, and no longer finds its order.
    """
    until = timezone.now() - settings.KEPT["ORDER_KEYS_KEPT_DAYS"]
    is_over = Q(order__created_at__lt=until) & ~Q(order__status__in=_OPEN)
    return purge_oldest(OrderKey.objects.all(), is_over)
