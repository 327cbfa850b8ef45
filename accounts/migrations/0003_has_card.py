from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("accounts", "0002_codes_and_sign_ins")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="has_card",
            field=models.BooleanField(default=False, help_text="Whether a card is on file; some bids need one."),
        ),
    ]
