from django.db import migrations


class Migration(migrations.Migration):
    """Premiums are samples of impact prices, no longer of the best ones."""

    dependencies = [("margin", "0004_freeze_changes")]

    operations = [
        migrations.RenameField("premiumsample", "best_bid", "impact_bid"),
        migrations.RenameField("premiumsample", "best_ask", "impact_ask"),
    ]
