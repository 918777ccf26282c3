"""Positions of perpetuals, and what collateral accounts may do."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('brokers', '0004_sandbox_accounts'),
        ('marketdata', '0002_perpetual_terms_and_marks'),
    ]

    operations = [
        migrations.CreateModel(
            name='MarginAccount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_frozen', models.BooleanField(default=False)),
                ('frozen_reason', models.CharField(blank=True, default='', max_length=200)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='margin_accounts', to='brokers.tradingaccount')),
                ('asset', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.asset')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'asset'), name='margin_account_once'), models.CheckConstraint(condition=models.Q(('is_frozen', False), models.Q(('frozen_reason', ''), _negated=True), _connector='OR'), name='margin_account_frozen_with_reason')],
            },
        ),
        migrations.CreateModel(
            name='Position',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.DecimalField(decimal_places=8, default=0, help_text='Positive is long, in the base asset.', max_digits=38)),
                ('cost_basis', models.DecimalField(decimal_places=8, default=0, help_text='What it cost (of a short: brought, negative), in the quote asset.', max_digits=38)),
                ('open_buy', models.DecimalField(decimal_places=8, default=0, help_text='Open quantity of buy orders.', max_digits=38)),
                ('open_sell', models.DecimalField(decimal_places=8, default=0, help_text='Open quantity of sell orders.', max_digits=38)),
                ('loss_reserve', models.DecimalField(decimal_places=8, default=0, help_text='What open orders would lose at once, by the marks of their arrival.', max_digits=38)),
                ('realized_pnl', models.DecimalField(decimal_places=8, default=0, help_text='Of all fills so far, before fees.', max_digits=38)),
                ('version', models.BigIntegerField(default=0)),
                ('updated_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='positions', to='brokers.tradingaccount')),
                ('instrument', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.instrument')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'instrument'), name='position_once'), models.CheckConstraint(condition=models.Q(('loss_reserve__gte', 0), ('open_buy__gte', 0), ('open_sell__gte', 0)), name='position_open_not_negative'), models.CheckConstraint(condition=models.Q(('loss_reserve', 0), ('open_buy__gt', 0), ('open_sell__gt', 0), _connector='OR'), name='position_reserve_of_open_orders'), models.CheckConstraint(condition=models.Q(models.Q(('quantity', 0), _negated=True), ('cost_basis', 0), _connector='OR'), name='position_flat_without_cost')],
            },
        ),
        # Positions change with every order: room on the page keeps the updates off the indexes.
        migrations.RunSQL(
            "ALTER TABLE margin_position"
            " SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)",
            migrations.RunSQL.noop,
        ),
    ]
