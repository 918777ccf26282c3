"""Terms of perpetuals, and the history of their mark prices."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketdata', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='MarkPrice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('price', models.DecimalField(decimal_places=8, max_digits=38)),
                ('source', models.CharField(choices=[('POSTED', 'Posted'), ('COMPUTED', 'Computed')], max_length=8)),
                ('as_of', models.DateTimeField(help_text='Of when the price is.')),
                ('posted_at', models.DateTimeField(help_text='Since when it holds.')),
                ('actor', models.CharField(max_length=100)),
                ('is_forced', models.BooleanField(default=False, help_text='Whether the jump was wanted.')),
            ],
        ),
        migrations.AddField(
            model_name='instrument',
            name='initial_margin_rate',
            field=models.DecimalField(blank=True, decimal_places=8, help_text="Share of a position's value that opening it needs.", max_digits=9, null=True),
        ),
        migrations.AddField(
            model_name='instrument',
            name='maintenance_margin_rate',
            field=models.DecimalField(blank=True, decimal_places=8, help_text='Share below which an account is liquidated.', max_digits=9, null=True),
        ),
        migrations.AddField(
            model_name='instrument',
            name='mark_jump_limit_rate',
            field=models.DecimalField(blank=True, decimal_places=8, help_text='A mark further than this share from the one before must be forced.', max_digits=9, null=True),
        ),
        migrations.AddField(
            model_name='instrument',
            name='mark_stale_seconds',
            field=models.PositiveIntegerField(blank=True, help_text='An older mark lets nobody take on more risk.', null=True),
        ),
        migrations.AddField(
            model_name='instrument',
            name='max_position',
            field=models.DecimalField(blank=True, decimal_places=8, help_text='The largest position of an account, either way.', max_digits=38, null=True),
        ),
        migrations.AlterField(
            model_name='instrument',
            name='price_band_rate',
            field=models.DecimalField(blank=True, decimal_places=8, help_text='A limit price further than this share from the last price, of a perpetual from its mark, is refused.', max_digits=9, null=True),
        ),
        migrations.RunSQL(
            """
            UPDATE marketdata_instrument
               SET initial_margin_rate = 0.2, maintenance_margin_rate = 0.1,
                   mark_jump_limit_rate = 0.2, mark_stale_seconds = 600,
                   price_band_rate = coalesce(price_band_rate, 0.1)
             WHERE kind = 'PERPETUAL'
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name='instrument',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('kind', 'PERPETUAL'), _negated=True), ('initial_margin_rate__isnull', True), ('maintenance_margin_rate__isnull', True), ('mark_jump_limit_rate__isnull', True), ('mark_stale_seconds__isnull', True), ('max_position__isnull', True)), models.Q(('initial_margin_rate__gt', models.F('maintenance_margin_rate')), ('initial_margin_rate__lte', 1), ('kind', 'PERPETUAL'), ('maintenance_margin_rate__gt', 0), ('mark_jump_limit_rate__gt', 0), ('mark_stale_seconds__gt', 0), ('price_band_rate__gt', 0)), _connector='OR'), name='instrument_margin_terms'),
        ),
        migrations.AddField(
            model_name='markprice',
            name='instrument',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketdata.instrument'),
        ),
        migrations.AddIndex(
            model_name='markprice',
            index=models.Index(fields=['instrument', '-id'], name='mark_of_instrument'),
        ),
        migrations.AddConstraint(
            model_name='markprice',
            constraint=models.CheckConstraint(condition=models.Q(('price__gt', 0)), name='mark_positive'),
        ),
    ]
