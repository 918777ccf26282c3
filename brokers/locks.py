"""The only row locks of the brokers app."""

from uuid import UUID

from brokers.models import ApiKey


def lock_api_key(key_id: UUID) -> ApiKey:
    """The key, locked until the transaction ends; references to it stay possible."""
    return ApiKey.objects.select_for_update(no_key=True).get(pk=key_id)
