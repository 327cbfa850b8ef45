"""`manage.py admin_totp`: an authenticator for a member of staff, and the way back in for who has lost theirs."""

from __future__ import annotations

from base64 import b32encode
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User, normalize_email


class Command(BaseCommand):
    """Whoever can run commands here can read the database as well, so it asks for nothing more."""

    help = (
        "Set up an authenticator (TOTP) for a member of staff: shows its key once, and keeps it when a code proves "
        "that it works. An older one is good until then. --remove takes it away."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="Whose.")
        parser.add_argument("--remove", action="store_true", help="Take every authenticator of theirs away.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        user = User.objects.filter(email=normalize_email(options["email"]), is_staff=True).first()
        if user is None:
            raise CommandError("There is no member of staff with this address.")
        if options["remove"]:
            TOTPDevice.objects.filter(user=user).delete()
            self.stdout.write("Removed.")
            return
        device = TOTPDevice(user=user, name="Authenticator", confirmed=False)
        self.stdout.write(f"Key:  {b32encode(device.bin_key).decode()}\nLink: {device.config_url}")
        self._keep(device, input("The code that the authenticator shows: ").strip())

    def _keep(self, device: TOTPDevice, code: str) -> None:
        with transaction.atomic():
            TOTPDevice.objects.filter(user=device.user).delete()
            device.save()
            if not device.verify_token(code):
                transaction.set_rollback(True)
                raise CommandError("That is not its code: nothing was changed. Is the clock right?")
            device.confirmed = True
            device.save(update_fields=["confirmed"])
        self.stdout.write("Kept: the admin asks for its codes from now on.")
