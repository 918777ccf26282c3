"""Liquidations with their steps, margin calls, funding with its samples and payments."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('brokers', '0004_sandbox_accounts'),
        ('margin', '0002_equity_snapshots'),
        ('marketdata', '0004_liquidation_and_funding_terms'),
    ]

    operations = [
        migrations.CreateModel(
            name='Funding',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('due_at', models.DateTimeField(help_text='The end of the interval.')),
                ('rate', models.DecimalField(decimal_places=8, help_text='Positive: longs pay shorts.', max_digits=9)),
                ('sample_count', models.PositiveIntegerField()),
                ('mark_price', models.DecimalField(decimal_places=8, max_digits=38)),
                ('paid', models.DecimalField(decimal_places=8, help_text='By all who pay.', max_digits=38)),
                ('received', models.DecimalField(decimal_places=8, help_text='By all who get.', max_digits=38)),
                ('remainder', models.DecimalField(decimal_places=8, help_text="What rounding leaves: the insurance fund's.", max_digits=38)),
                ('fixed_at', models.DateTimeField()),
                ('booked_at', models.DateTimeField(blank=True, help_text='When the last was booked.', null=True)),
                ('instrument', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.instrument')),
            ],
        ),
        migrations.CreateModel(
            name='FundingPayment',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('quantity', models.DecimalField(decimal_places=8, help_text='Of the position: positive is long.', max_digits=38)),
                ('amount', models.DecimalField(decimal_places=8, max_digits=38)),
                ('entry_id', models.UUIDField(help_text='The journal entry that books it.')),
                ('booked_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='brokers.tradingaccount')),
                ('funding', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='margin.funding')),
            ],
        ),
        migrations.CreateModel(
            name='Liquidation',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('outcome', models.CharField(choices=[('RESTORED', 'Brought back above the maintenance margin'), ('CLOSED', 'All positions closed')], max_length=8)),
                ('collateral_before', models.DecimalField(decimal_places=8, max_digits=38)),
                ('collateral_after', models.DecimalField(decimal_places=8, max_digits=38)),
                ('equity_before', models.DecimalField(decimal_places=8, max_digits=38)),
                ('equity_after', models.DecimalField(decimal_places=8, max_digits=38)),
                ('maintenance_margin_before', models.DecimalField(decimal_places=8, max_digits=38)),
                ('maintenance_margin_after', models.DecimalField(decimal_places=8, max_digits=38)),
                ('fee', models.DecimalField(decimal_places=8, help_text='What the insurance fund got out of what was left.', max_digits=38)),
                ('fund_result', models.DecimalField(decimal_places=8, help_text='What the insurance fund won or lost at the marks, fee and bad debt included.', max_digits=38)),
                ('bad_debt', models.DecimalField(decimal_places=8, help_text='Loss beyond zero that nobody else could bear.', max_digits=38)),
                ('executed_at', models.DateTimeField()),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='brokers.tradingaccount')),
                ('asset', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.asset')),
            ],
        ),
        migrations.CreateModel(
            name='LiquidationStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('FREEZE', 'New orders frozen'), ('CANCEL_ORDERS', 'Open orders canceled'), ('CLOSE_ON_BOOK', 'Closed on the book'), ('TAKEOVER', 'Taken over by the insurance fund'), ('DELEVERAGE', 'Closed against the other side'), ('FEE', 'Liquidation fee'), ('BAD_DEBT', 'Bad debt'), ('UNFREEZE', 'New orders allowed again')], max_length=13)),
                ('quantity', models.DecimalField(decimal_places=8, help_text='What was closed (positive: bought), or the number of orders canceled.', max_digits=38, null=True)),
                ('price', models.DecimalField(decimal_places=8, help_text='Mean price of what was closed, in the quote asset.', max_digits=38, null=True)),
                ('mark_price', models.DecimalField(decimal_places=8, max_digits=38, null=True)),
                ('amount', models.DecimalField(decimal_places=8, default=0, help_text='Fee or bad debt.', max_digits=38)),
                ('order_id', models.UUIDField(help_text='The order with which it was closed.', null=True)),
                ('equity_before', models.DecimalField(decimal_places=8, max_digits=38)),
                ('equity_after', models.DecimalField(decimal_places=8, max_digits=38)),
                ('maintenance_margin_before', models.DecimalField(decimal_places=8, max_digits=38)),
                ('maintenance_margin_after', models.DecimalField(decimal_places=8, max_digits=38)),
                ('counterparty', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='brokers.tradingaccount')),
                ('instrument', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.instrument')),
                ('liquidation', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='steps', to='margin.liquidation')),
            ],
        ),
        migrations.CreateModel(
            name='MarginCall',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('level', models.DecimalField(decimal_places=8, help_text='The margin ratio from which on it is called.', max_digits=9)),
                ('equity', models.DecimalField(decimal_places=8, max_digits=38)),
                ('maintenance_margin', models.DecimalField(decimal_places=8, max_digits=38)),
                ('raised_at', models.DateTimeField()),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='brokers.tradingaccount')),
                ('asset', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.asset')),
            ],
        ),
        migrations.CreateModel(
            name='PremiumSample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='The minute, at its begin.')),
                ('premium_rate', models.DecimalField(decimal_places=8, max_digits=38)),
                ('best_bid', models.DecimalField(decimal_places=8, max_digits=38)),
                ('best_ask', models.DecimalField(decimal_places=8, max_digits=38)),
                ('index_price', models.DecimalField(decimal_places=8, max_digits=38)),
                ('instrument', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.instrument')),
            ],
        ),
        migrations.AddIndex(
            model_name='funding',
            index=models.Index(condition=models.Q(('booked_at__isnull', True)), fields=['due_at'], name='funding_to_book'),
        ),
        migrations.AddConstraint(
            model_name='funding',
            constraint=models.UniqueConstraint(fields=('instrument', 'due_at'), name='funding_once'),
        ),
        migrations.AddConstraint(
            model_name='funding',
            constraint=models.CheckConstraint(condition=models.Q(('paid', django.db.models.expressions.CombinedExpression(models.F('received'), '+', models.F('remainder'))), ('paid__gte', 0), ('received__gte', 0), ('remainder__gte', 0)), name='funding_paid_is_received'),
        ),
        migrations.AddIndex(
            model_name='fundingpayment',
            index=models.Index(fields=['account', '-id'], name='funding_payment_of_account'),
        ),
        migrations.AddIndex(
            model_name='fundingpayment',
            index=models.Index(condition=models.Q(('booked_at__isnull', True)), fields=['funding', 'account'], name='funding_payment_to_book'),
        ),
        migrations.AddConstraint(
            model_name='fundingpayment',
            constraint=models.UniqueConstraint(fields=('funding', 'account'), name='funding_payment_once'),
        ),
        migrations.AddIndex(
            model_name='liquidation',
            index=models.Index(fields=['account', '-id'], name='liquidation_of_account'),
        ),
        migrations.AddConstraint(
            model_name='liquidation',
            constraint=models.CheckConstraint(condition=models.Q(('equity_before__lt', models.F('maintenance_margin_before'))), name='liquidation_below_maintenance'),
        ),
        migrations.AddConstraint(
            model_name='liquidation',
            constraint=models.CheckConstraint(condition=models.Q(('equity_after__gte', 0)), name='liquidation_leaves_no_debt'),
        ),
        migrations.AddConstraint(
            model_name='liquidation',
            constraint=models.CheckConstraint(condition=models.Q(('bad_debt__gte', 0), ('fee__gte', 0)), name='liquidation_amounts_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='liquidationstep',
            constraint=models.UniqueConstraint(fields=('liquidation', 'number'), name='liquidation_step_once'),
        ),
        migrations.AddIndex(
            model_name='margincall',
            index=models.Index(fields=['account', '-id'], name='margin_call_of_account'),
        ),
        migrations.AddConstraint(
            model_name='margincall',
            constraint=models.UniqueConstraint(condition=models.Q(('resolved_at__isnull', True)), fields=('account', 'asset', 'level'), name='margin_call_open_once'),
        ),
        migrations.AddConstraint(
            model_name='margincall',
            constraint=models.CheckConstraint(condition=models.Q(('level__gt', 0)), name='margin_call_level_positive'),
        ),
        migrations.AddConstraint(
            model_name='premiumsample',
            constraint=models.UniqueConstraint(fields=('instrument', 'at'), name='premium_sample_once_a_minute'),
        ),
    ]
