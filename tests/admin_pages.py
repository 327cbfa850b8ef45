"""The admin's addresses, and who comes to them."""

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tests import factories

# In names and reasons: what a page must escape.
MARKUP = "<script>alert('name')</script>"
ESCAPED = "&lt;script&gt;alert"


def page(model, what="changelist", *args):
    """The address of a page."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


def operator():
    """Somebody who may do everything."""
    return _signed_in("operator@house.example", is_superuser=True)


def clerk(*codenames):
    """Staff with these permissions alone; without any named, with every one on auctions."""
    client = _signed_in(f"clerk-{'-'.join(codenames)}@house.example")
    held = {"codename__in": codenames} if codenames else {"content_type__app_label": "auctions"}
    user(client).user_permissions.set(Permission.objects.filter(**held))
    return client


def user(client):
    """Whose session it is."""
    return client.get("/admin/").wsgi_request.user


def act(client, model, action, rows, **fields):
    """Choose an action for some rows of a list; return the page that it ends on."""
    form = {"action": action, "_selected_action": [row.pk for row in rows], **fields}
    return client.post(page(model), form, follow=True)


def _signed_in(email, **fields):
    client = Client()
    client.force_login(factories.user(email, is_staff=True, **fields))
    return client
