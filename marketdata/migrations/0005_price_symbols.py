"""What price services call an instrument, where that is not its symbol."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketdata', '0004_liquidation_and_funding_terms'),
    ]

    operations = [
        migrations.AddField(
            model_name='instrument',
            name='price_symbol',
            field=models.CharField(blank=True, default='', help_text='What price services call it (PETR4.SA), where that is not the symbol.', max_length=40),
        ),
    ]
