"""Stripe's test cards and what they do.

Source: https://docs.stripe.com/testing
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stripe_double.errors import StripeError, missing_param

if TYPE_CHECKING:
    from stripe_double.forms import Params


@dataclass(frozen=True)
class Decline:
    """Why a bank declines: Stripe's `code`, `decline_code` and message."""

    code: str
    decline_code: str
    message: str


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.")
BAD_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
BROKEN = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
AUTHENTICATION = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
NOT_A_TEST_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test card. "
    "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
)


@dataclass(frozen=True)
class Instrument:
    """How a test card or account behaves; `number` never leaves this module's table.

    `saves` is a card whose declines come when it is charged, not when it is saved; `set_up_once` one that needs no
    3-D Secure off-session once it was authenticated. `refund` is how its refunds go: `succeeds`, `fails`
    (later) or `waits` (pending until settled). `dispute` is the reason with which every charge is disputed.
    """

    number: str
    names: tuple[str, ...] = ()
    brand: str = "visa"
    decline: Decline | None = None
    three_d_secure: bool = False
    processing: bool = False
    type: str = "card"
    saves: bool = False
    set_up_once: bool = False
    refund: str = "succeeds"
    dispute: str | None = None

    @property
    def last4(self) -> str:
        """Return the public fields."""
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """Return 16 characters that are the same for the same number."""
        return hashlib.sha256(b"double" + self.number.encode()).hexdigest()[:16]


INSTRUMENTS = (
    Instrument("4242424242424242", ("pm_card_visa",)),
    Instrument("4000056655665556", ("pm_card_visa_debit",)),
    Instrument("5555555555554444", ("pm_card_mastercard",), "mastercard"),
    Instrument("378282246310005", ("pm_card_amex",), "amex"),
    Instrument("4000000000000002", ("pm_card_visa_chargeDeclined", "pm_card_chargeDeclined"), decline=GENERIC),
    Instrument(
        "4000000000009995",
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "pm_card_chargeDeclinedInsufficientFunds"),
        decline=NO_FUNDS,
    ),
    Instrument("4000000000009987", ("pm_card_visa_chargeDeclinedLostCard",), decline=LOST),
    Instrument("4000000000009979", ("pm_card_visa_chargeDeclinedStolenCard",), decline=STOLEN),
    Instrument("4000000000000069", ("pm_card_chargeDeclinedExpiredCard",), decline=EXPIRED),
    Instrument("4000000000000127", ("pm_card_chargeDeclinedIncorrectCvc",), decline=BAD_CVC),
    Instrument("4000000000000119", ("pm_card_chargeDeclinedProcessingError",), decline=BROKEN),
    Instrument(
        "4000000000003220",
        ("pm_card_threeDSecure2Required", "pm_card_threeDSecureRequired"),
        three_d_secure=True,
    ),
    Instrument(
        "4000002500003155",
        ("pm_card_authenticationRequiredOnSetup",),
        three_d_secure=True,
        set_up_once=True,
    ),
    Instrument("4000002760003184", ("pm_card_authenticationRequired",), three_d_secure=True),
    Instrument(
        "4000008400001629",
        ("pm_card_threeDSecureRequiredChargeDeclined",),
        three_d_secure=True,
        decline=GENERIC,
    ),
    Instrument(
        "4000008260003178",
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",),
        three_d_secure=True,
        decline=NO_FUNDS,
        saves=True,
    ),
    Instrument("4000000000000341", ("pm_card_chargeCustomerFail",), decline=GENERIC, saves=True),
    Instrument("4000000000005126", ("pm_card_refundFail",), refund="fails"),
    Instrument("4000000000007726", ("pm_card_pendingRefund",), refund="waits"),
    Instrument("4000000000000259", ("pm_card_createDispute",), dispute="fraudulent"),
    Instrument("4000000000002685", ("pm_card_createDisputeProductNotReceived",), dispute="product_not_received"),
    Instrument("000000000009", ("pm_usBankAccount_processing",), processing=True, type="us_bank_account"),
)
BY_NAME = {name: instrument for instrument in INSTRUMENTS for name in instrument.names}
BY_NUMBER = {instrument.number: instrument for instrument in INSTRUMENTS if instrument.type == "card"}


def from_name(name: str) -> Instrument | None:
    """Return the instrument of one of Stripe's test ids, such as `pm_card_visa`."""
    return BY_NAME.get(name)


def from_fingerprint(fingerprint: str) -> Instrument:
    """Return the instrument behind a stored payment method."""
    for instrument in INSTRUMENTS:
        if instrument.fingerprint == fingerprint:
            return instrument
    return Instrument("", decline=NOT_A_TEST_CARD)


def from_data(data: Any) -> tuple[Instrument, Params]:  # any form value
    """Return the instrument of a raw `payment_method_data` hash and its card hash, or raise the 402 Stripe gives.

    Source: https://docs.stripe.com/testing (invalid data)
    """
    if not isinstance(data, dict) or data.get("type") != "card":
        message = "Invalid payment_method_data[type]: the double knows only 'card' here"
        raise StripeError(message, param="payment_method_data[type]")
    card = data.get("card")
    if not isinstance(card, dict) or not isinstance(card.get("number"), str):
        raise missing_param("payment_method_data[card][number]")
    number = card["number"].replace(" ", "").replace("-", "")
    if not _passes_luhn(number):
        raise _refused("incorrect_number", "Your card number is incorrect.", "number")
    _check_expiry(card)
    brand = "mastercard" if number.startswith("5") else "amex" if number.startswith("3") else "visa"
    stranger = Instrument(number, (), brand, NOT_A_TEST_CARD)
    return BY_NUMBER.get(number, stranger), card


def _check_expiry(card: Params) -> None:
    now = time.gmtime()
    month, year = _whole(card.get("exp_month", "12")), _whole(card.get("exp_year", str(now.tm_year + 1)))
    year += 2000 if 0 <= year < 100 else 0  # two-digit years are accepted
    if not 1 <= month <= 12:
        raise _refused("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    if not now.tm_year <= year <= now.tm_year + 50 or (year == now.tm_year and month < now.tm_mon):
        raise _refused("invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year")
    card["exp_month"], card["exp_year"] = month, year


def _refused(code: str, message: str, field: str) -> StripeError:
    param = f"payment_method_data[card][{field}]"
    return StripeError(message, status=402, type_="card_error", code=code, param=param, saved=True)


def _whole(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 5 else -1


def _passes_luhn(number: str) -> bool:
    if not (number.isascii() and number.isdecimal() and 12 <= len(number) <= 19):
        return False
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(number))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
