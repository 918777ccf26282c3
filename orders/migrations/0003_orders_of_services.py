"""Orders that services decide: booked executions and the dealer's; average prices."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('brokers', '0003_status_of_people'),
        ('marketdata', '0001_initial'),
        ('orders', '0002_fill_view'),
    ]

    operations = [
        migrations.CreateModel(
            name='AveragePrice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_version', models.BigIntegerField()),
                ('average_price', models.DecimalField(decimal_places=18, max_digits=48, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='DealPrice',
            fields=[
                ('trade', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='deal_price', serialize=False, to='orders.trade')),
                ('source', models.CharField(max_length=40)),
                ('as_of', models.DateTimeField(help_text="The market's own time of the price.")),
                ('age_seconds', models.PositiveIntegerField(help_text='Since the price service had told it.')),
                ('is_simulated', models.BooleanField()),
            ],
        ),
        migrations.AddField(
            model_name='order',
            name='venue',
            field=models.CharField(choices=[('BOOK', 'Order book'), ('DEALER', 'Dealer'), ('EXTERNAL', 'Booked execution')], db_default='BOOK', default='BOOK', max_length=8),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('venue', 'BOOK'), models.Q(('status', 'PENDING'), _negated=True)), models.Q(models.Q(('venue', 'BOOK'), _negated=True), models.Q(('status__in', ['OPEN', 'PARTIALLY_FILLED']), _negated=True)), _connector='OR'), name='order_rests_on_book_only'),
        ),
        migrations.AddField(
            model_name='averageprice',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='brokers.tradingaccount'),
        ),
        migrations.AddField(
            model_name='averageprice',
            name='instrument',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.instrument'),
        ),
        migrations.AddConstraint(
            model_name='averageprice',
            constraint=models.UniqueConstraint(fields=('account', 'instrument'), name='average_price_once'),
        ),
    ]
