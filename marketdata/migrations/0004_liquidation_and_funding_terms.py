"""What liquidation and funding of a perpetual go by."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketdata', '0003_candles'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='instrument',
            name='instrument_margin_terms',
        ),
        migrations.AddField(
            model_name='instrument',
            name='funding_cap_rate',
            field=models.DecimalField(blank=True, decimal_places=8, help_text='The largest rate of an interval, either way.', max_digits=9, null=True),
        ),
        migrations.AddField(
            model_name='instrument',
            name='funding_interest_rate',
            field=models.DecimalField(blank=True, decimal_places=8, help_text='What an interval costs when the book trades at the index.', max_digits=9, null=True),
        ),
        migrations.AddField(
            model_name='instrument',
            name='funding_interval_seconds',
            field=models.PositiveIntegerField(blank=True, help_text='How often longs and shorts pay each other.', null=True),
        ),
        migrations.AddField(
            model_name='instrument',
            name='liquidation_buffer_rate',
            field=models.DecimalField(blank=True, decimal_places=8, help_text='A liquidation in parts goes on until equity is this share above the maintenance margin.', max_digits=9, null=True),
        ),
        migrations.AddField(
            model_name='instrument',
            name='liquidation_fee_rate',
            field=models.DecimalField(blank=True, decimal_places=8, help_text='Share of what is closed by force that the insurance fund gets, out of what is left.', max_digits=9, null=True),
        ),
        migrations.RunSQL(
            """
            UPDATE marketdata_instrument
               SET liquidation_fee_rate = 0.005, liquidation_buffer_rate = 0.05,
                   funding_interval_seconds = 28800, funding_interest_rate = 0.0001,
                   funding_cap_rate = 0.0075
             WHERE kind = 'PERPETUAL'
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name='instrument',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('kind', 'PERPETUAL'), _negated=True), ('funding_cap_rate__isnull', True), ('funding_interest_rate__isnull', True), ('funding_interval_seconds__isnull', True), ('initial_margin_rate__isnull', True), ('liquidation_buffer_rate__isnull', True), ('liquidation_fee_rate__isnull', True), ('maintenance_margin_rate__isnull', True), ('mark_jump_limit_rate__isnull', True), ('mark_stale_seconds__isnull', True), ('max_position__isnull', True)), models.Q(('funding_cap_rate__gte', 0), ('funding_interest_rate__isnull', False), ('funding_interval_seconds__gt', 0), ('initial_margin_rate__gt', models.F('maintenance_margin_rate')), ('initial_margin_rate__lte', 1), ('kind', 'PERPETUAL'), ('liquidation_buffer_rate__gte', 0), ('liquidation_fee_rate__gte', 0), ('maintenance_margin_rate__gt', 0), ('mark_jump_limit_rate__gt', 0), ('mark_stale_seconds__gt', 0), ('price_band_rate__gt', 0)), _connector='OR'), name='instrument_margin_terms'),
        ),
    ]
