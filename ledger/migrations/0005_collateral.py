"""Entries that move collateral."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0004_guards'),
    ]

    operations = [
        migrations.AlterField(
            model_name='journalentry',
            name='kind',
            field=models.CharField(choices=[('TRADE', 'Trade'), ('DEPOSIT', 'Deposit'), ('WITHDRAWAL', 'Withdrawal'), ('TRANSFER', 'Transfer'), ('REVERSAL', 'Reversal'), ('ADJUSTMENT', 'Adjustment'), ('CONVERSION', 'Conversion'), ('COLLATERAL', 'Collateral')], max_length=12),
        ),
    ]
