"""Errors of this app. Codes are public and never renamed."""

from __future__ import annotations

from auctioncraft.core.errors import Conflict, DomainError, Unavailable


class AuctionNotSold(Conflict):
    """There is nothing to pay: the auction is still on, or ended without a sale."""

    code = "auction_not_sold"
    detail = "This product is not sold, so there is nothing to pay."


class NotTheWinner(DomainError):
    """The order belongs to another buyer."""

    code = "not_the_winner"
    detail = "Only the winner of this auction can pay for it."
    status = 403


class OrderPaid(Conflict):
    """Nothing is left to pay."""

    code = "order_paid"
    detail = "This order is paid already."


class OrderNotPayable(Conflict):
    """The order expired."""

    code = "order_not_payable"
    detail = "This order cannot be paid any more."


class AmountNotChargeable(Conflict):
    """Stripe has no way to charge this amount of this currency exactly; we never round an amount that is owed."""

    code = "amount_not_chargeable"
    detail = "This amount cannot be charged by card exactly. Please contact support."


class PaymentRefused(Conflict):
    """Stripe understood and refused, for instance an amount below its minimum; `stripe_code` is Stripe's reason."""

    code = "payment_refused"
    detail = "The payment provider refused to take this payment as it is."


class NothingToRefund(Conflict):
    """No money came in, or all of it has gone back or is on its way."""

    code = "nothing_to_refund"
    detail = "There is nothing to refund here."


class RefundTooLarge(Conflict):
    """More than what is left; `refundable` says how much that is, in `currency`."""

    code = "refund_too_large"
    detail = "That is more than what is left to refund."


class PaidOut(Conflict):
    """The seller has the money, and it does not come back from them; staff can refund it all the same."""

    code = "paid_out"
    detail = (
        "The seller has been paid for this order, and their share did not come back. Refunding it is a decision of our "
        "staff."
    )


class PayoutsHeld(Conflict):
    """Nothing is paid to this seller until staff release it."""

    code = "payouts_held"
    detail = "The payouts to this seller are held."


class PayoutsNotHeld(Conflict):
    """There is nothing to release."""

    code = "payouts_not_held"
    detail = "The payouts to this seller are not held."


class OrderDisputed(Conflict):
    """The buyer's bank has taken the payment back, or may: a refund would pay it twice."""

    code = "order_disputed"
    detail = "The buyer's bank disputes this payment, so it cannot be refunded."


class RefundRefused(Conflict):
    """Stripe understood and refused; `stripe_code` is its reason."""

    code = "refund_refused"
    detail = "The payment provider refused to refund this."


class StripeObjectMissing(PaymentRefused):
    """Stripe knows no such object under our key."""


class StripeUnavailable(Unavailable):
    """Stripe did not answer, or not usefully. What was asked may have been done: ask again with the same key."""

    code = "stripe_unavailable"
    detail = "The payment provider is away. Try again in a moment."


class StripeDown(StripeUnavailable):
    """Stripe cannot be reached, times out, limits us or fails: whatever is asked next will fail as well."""


class KeyInUse(StripeUnavailable):
    """The first request with this idempotency key is still running at Stripe, as after a double click."""

    detail = "This request is being processed. Try again in a moment."


class StoredFailure(StripeUnavailable):
    """Stripe repeats the failure that it stored under this idempotency key; it does so for 24 hours."""


class ConnectNotConfigured(Conflict):
    """Staff pay sellers outside Stripe."""

    code = "connect_not_configured"
    detail = "Sellers are paid by our staff here; there is no account to set up."


class OnboardingRefused(Conflict):
    """Stripe refuses this seller; `stripe_code` is Stripe's reason."""

    code = "onboarding_refused"
    detail = "The payment provider refused to set up an account. Please contact support."


class PayoutNotDue(Conflict):
    """Staff owe nothing: it is paid, blocked, or being sent by Stripe."""

    code = "payout_not_due"
    detail = "Nothing of this payout is to be paid manually now."


class SetupNotFinished(Conflict):
    """The card is not saved at Stripe yet; `status` is the SetupIntent's."""

    code = "setup_not_finished"
    detail = "This card is not saved yet."


class AutoChargeOff(Conflict):
    """AUTO_CHARGE is off."""

    code = "auto_charge_off"
    detail = "Wins are not charged to saved cards here."


class BadSignature(DomainError):
    """Not signed by Stripe just now, or not an event."""

    code = "bad_signature"
    detail = "This is not an event that Stripe signed within the last five minutes."


class WrongMode(DomainError):
    """A test event where money is real, or the other way round."""

    code = "wrong_mode"
    detail = "The event is of the other mode (live or test) than this server's key."


class WebhookNotConfigured(Unavailable):
    """Without the webhook's secret no event can be verified."""

    code = "webhook_not_configured"
    detail = "STRIPE_WEBHOOK_SECRET is not set, so no event can be accepted."
    retry_after = 60


class ReconciliationRunning(Conflict):
    """Another reconciliation is running."""

    code = "reconciliation_running"
    detail = "A reconciliation with Stripe is already running."
