"""Entries of liquidations, of funding and of debts, and the account that funding passes."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0005_collateral'),
    ]

    operations = [
        migrations.AlterField(
            model_name='journalentry',
            name='kind',
            field=models.CharField(choices=[('TRADE', 'Trade'), ('DEPOSIT', 'Deposit'), ('WITHDRAWAL', 'Withdrawal'), ('TRANSFER', 'Transfer'), ('REVERSAL', 'Reversal'), ('ADJUSTMENT', 'Adjustment'), ('CONVERSION', 'Conversion'), ('COLLATERAL', 'Collateral'), ('FUNDING', 'Funding'), ('LIQUIDATION', 'Liquidation fee'), ('BAD_DEBT', 'Bad debt')], max_length=12),
        ),
        migrations.AlterField(
            model_name='ledgeraccount',
            name='kind',
            field=models.CharField(choices=[('CASH', 'Cash'), ('SECURITY', 'Security'), ('MARGIN', 'Margin collateral'), ('TRANSIT', 'Cash in transit'), ('FEES', 'Fees'), ('DEALER', 'Dealer'), ('EXTERNAL', 'External executions'), ('CLEARING', 'Perpetual clearing'), ('INSURANCE', 'Insurance fund'), ('CONVERSION', 'Currency conversion'), ('FUNDING', 'Funding in transit')], max_length=10),
        ),
    ]
