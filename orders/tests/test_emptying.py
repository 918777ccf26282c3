"""What tests commit is gone afterwards, from whichever table."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from brokers.models import Broker, User
from common.ids import new_uuid
from ledger.models import Posting
from ledger.services import deposit
from orders.tests.emptying import empty_tables
from orders.tests.engine.harness import make_account, make_venue

# What `migrate` writes.
_STAY = {"auth_permission", "django_content_type", "django_migrations"}


@pytest.mark.django_db(transaction=True)
def test_no_table_is_forgotten() -> None:
    make_venue()
    account = make_account()
    deposit(
        account_id=account.id, asset="USD", amount=Decimal(1), source_id=new_uuid(), actor="test"
    )
    User.objects.create_user("ann@example.test", "a-long-password")
    permissions = Permission.objects.count()
    assert {"brokers_broker", "brokers_user", "ledger_posting"} <= _filled_tables()

    empty_tables()

    assert _filled_tables() == _STAY
    assert Permission.objects.count() == permissions > 0
    assert not Posting.objects.exists()
    assert not Broker.objects.exists()


def _filled_tables() -> set[str]:
    """By PostgreSQL's own list, not by ours."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = [name for (name,) in cursor.fetchall()]
        filled = set()
        for name in names:
            cursor.execute(f'SELECT EXISTS (SELECT 1 FROM "{name}")')
            if cursor.fetchone()[0]:
                filled.add(name)
    return filled
