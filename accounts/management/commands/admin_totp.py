"""`manage.py admin_totp`: set up or remove a staff member's authenticator."""

from __future__ import annotations

from base64 import b32encode
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User, normalize_email


class Command(BaseCommand):
    """Set up an authenticator for the admin. No password is required: an operator can read the database anyway."""

    help = (
        "Set up an authenticator (TOTP) for a staff member. Shows the key once and saves it when a code proves that it "
        "works; the previous one is valid until then. --remove deletes it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="The staff member's email address.")
        parser.add_argument("--remove", action="store_true", help="Delete all of the staff member's authenticators.")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        user = User.objects.filter(email=normalize_email(options["email"]), is_staff=True).first()
        if user is None:
            raise CommandError("No staff member has this email address.")
        if options["remove"]:
            TOTPDevice.objects.filter(user=user).delete()
            self.stdout.write("Removed.")
            return
        device = TOTPDevice(user=user, name="Authenticator", confirmed=False)
        self.stdout.write(f"Key:  {b32encode(device.bin_key).decode()}\nLink: {device.config_url}")
        self._save(device, input("Code shown by the authenticator: ").strip())

    def _save(self, device: TOTPDevice, code: str) -> None:
        with transaction.atomic():
            TOTPDevice.objects.filter(user=device.user).delete()
            device.save()
            if not device.verify_token(code):
                transaction.set_rollback(True)
                raise CommandError("Wrong code, nothing was changed. Check the clock of the device.")
            device.confirmed = True
            device.save(update_fields=["confirmed"])
        self.stdout.write("Saved. The admin now asks for its codes.")
