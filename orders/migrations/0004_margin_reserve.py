"""What an open order of a perpetual would lose by the mark of its arrival."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('brokers', '0004_sandbox_accounts'),
        ('marketdata', '0002_perpetual_terms_and_marks'),
        ('orders', '0003_orders_of_services'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='margin_reserve',
            field=models.DecimalField(db_default=0, decimal_places=8, default=0, help_text='Of a perpetual: what the open rest would lose by the mark of its arrival.', max_digits=38),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('margin_reserve', 0), models.Q(('margin_reserve__gt', 0), ('status__in', ['OPEN', 'PARTIALLY_FILLED'])), _connector='OR'), name='order_reserve_only_while_open'),
        ),
    ]
