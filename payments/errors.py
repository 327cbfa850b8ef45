"""What this app refuses with. Codes are public and never renamed."""

from __future__ import annotations

from auctioncraft.errors import DomainError, Unavailable


class AuctionNotSold(DomainError):
    """There is nothing to pay: the auction is still on, or ended without a sale."""

    code = "auction_not_sold"
    detail = "This product is not sold, so there is nothing to pay."
    status = 409


class NotTheWinner(DomainError):
    """The order is somebody else's."""

    code = "not_the_winner"
    detail = "Only the winner of this auction can pay for it."
    status = 403


class OrderPaid(DomainError):
    """Nothing is left to pay."""

    code = "order_paid"
    detail = "This order is paid already."
    status = 409


class OrderNotPayable(DomainError):
    """The order expired or was cancelled."""

    code = "order_not_payable"
    detail = "This order cannot be paid any more."
    status = 409


class AmountNotChargeable(DomainError):
    """Stripe has no way to charge this amount of this currency exactly; we never round what somebody owes."""

    code = "amount_not_chargeable"
    detail = "This amount cannot be charged by card exactly. The house will be in touch."
    status = 409


class PaymentRefused(DomainError):
    """Stripe understood and refused, for instance an amount below its minimum; `stripe_code` is Stripe's reason."""

    code = "payment_refused"
    detail = "The payment provider refused to take this payment as it is."
    status = 409


class NotAtStripe(PaymentRefused):
    """Stripe knows no such object under our key."""


class StripeUnavailable(Unavailable):
    """Stripe did not answer, or not usefully. What was asked may have been done: ask again with the same key."""

    code = "stripe_unavailable"
    detail = "The payment provider is away. Try again in a moment."


class KeyInUse(StripeUnavailable):
    """The first request with this idempotency key is still running at Stripe."""


class KeySpent(StripeUnavailable):
    """Stripe answers this idempotency key with the failure it remembers; it will for 24 hours."""


class BadSignature(DomainError):
    """Not signed by Stripe just now, or not an event."""

    code = "bad_signature"
    detail = "This is not an event that Stripe signed within the last five minutes."


class WrongMode(DomainError):
    """A test event where money is real, or the other way round."""

    code = "wrong_mode"
    detail = "The event is of the other mode (live or test) than this server's key."


class WebhookNotConfigured(Unavailable):
    """Without the webhook's secret no event can be told from a forged one."""

    code = "webhook_not_configured"
    detail = "STRIPE_WEBHOOK_SECRET is not set, so no event can be accepted."
    retry_after = 60
