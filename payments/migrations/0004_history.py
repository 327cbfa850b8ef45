"""Orders of before get the history and the payout that they would have had."""

from django.db import migrations


def write_history(apps, schema_editor):
    """Opened, paid or expired: those moments are known."""
    order_model, event_model = apps.get_model("payments", "Order"), apps.get_model("payments", "OrderEvent")
    batch = []
    for order in order_model.objects.order_by("pk").iterator(1000):
        batch.append(_event(event_model, order, "opened", "awaiting_payment", order.created_at, "system"))
        if order.paid_at:
            batch.append(_event(event_model, order, "paid", "paid", order.paid_at, "stripe"))
        if order.expired_at:
            batch.append(_event(event_model, order, "expired", "expired", order.expired_at, "system"))
        if len(batch) >= 1000:
            event_model.objects.bulk_create(batch)
            batch = []
    event_model.objects.bulk_create(batch)


def _event(model, order, kind, status, at, role):
    return model(order=order, kind=kind, status=status, role=role, at=at)


def open_payouts(apps, schema_editor):
    """The house collected all of it: what it keeps is the buyer's premium, the rest is the seller's, by hand."""
    order_model, payout_model = apps.get_model("payments", "Order"), apps.get_model("payments", "Payout")
    for order in order_model.objects.filter(status="paid").order_by("pk").iterator(1000):
        payout_model.objects.create(
            order=order,
            seller_id=order.seller_id,
            currency=order.currency,
            gross=order.total,
            fee=order.buyers_premium,
            amount=order.total - order.buyers_premium,
            route="manual",
            status="due",
            created_at=order.paid_at,
        )


class Migration(migrations.Migration):

    dependencies = [("payments", "0003_money")]

    operations = [
        migrations.RunPython(write_history, migrations.RunPython.noop),
        migrations.RunPython(open_payouts, migrations.RunPython.noop),
    ]
