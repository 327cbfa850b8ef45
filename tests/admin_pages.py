"""URLs of the admin, and clients signed in to it."""

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tests import factories

# Used in names and reasons; pages must escape it.
MARKUP = "<script>alert('name')</script>"
ESCAPED = "&lt;script&gt;alert"


def page(model, what="changelist", *args):
    """Return the URL of an admin page."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)


def operator():
    """Return a client signed in as a superuser."""
    return _signed_in("operator@staff.example", is_superuser=True)


def clerk(*codenames):
    """Return a client signed in as staff with these permissions; by default with all permissions on auctions."""
    client = _signed_in(f"clerk-{'-'.join(codenames)}@staff.example")
    held = {"codename__in": codenames} if codenames else {"content_type__app_label": "auctions"}
    user(client).user_permissions.set(Permission.objects.filter(**held))
    return client


def user(client):
    """Return the user of a session."""
    return client.get("/admin/").wsgi_request.user


def act(client, model, action, rows, **fields):
    """Run an admin action on some rows; return the resulting page."""
    form = {"action": action, "_selected_action": [row.pk for row in rows], **fields}
    return client.post(page(model), form, follow=True)


def confirm(client, model, action, rows, reason="A slip.", **fields):
    """Run an admin action from the page that asks for a reason; return the resulting page."""
    return act(client, model, action, rows, confirmed="yes", reason=reason, **fields)


def _signed_in(email, **fields):
    client = Client()
    client.force_login(factories.user(email, is_staff=True, **fields))
    return client
