"""Orders and trades of liquidations."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0004_margin_reserve'),
    ]

    operations = [
        migrations.AlterField(
            model_name='order',
            name='venue',
            field=models.CharField(choices=[('BOOK', 'Order book'), ('DEALER', 'Dealer'), ('EXTERNAL', 'Booked execution'), ('FORCED', 'Liquidation or deleveraging')], db_default='BOOK', default='BOOK', max_length=8),
        ),
        migrations.AlterField(
            model_name='trade',
            name='venue',
            field=models.CharField(choices=[('BOOK', 'Order book'), ('DEALER', 'Dealer'), ('EXTERNAL', 'Booked execution'), ('FORCED', 'Liquidation or deleveraging')], default='BOOK', max_length=8),
        ),
    ]
