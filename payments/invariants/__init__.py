"""What must always be true of the money, checked on live data: read-only, a query or two each (invariants 10-15).

Each check returns one line for every row that breaks it.

    orders    of whom, for how much, for how long
    payments  what came in, and for what
    refunds   what went back, and what banks took back
    payouts   what sellers are due of it, and got
    events    what Stripe said
    cards     saved cards, and what is charged to them
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from payments.invariants import cards, events, orders, payments, payouts, refunds

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKS: Final[dict[str, Callable[[], list[str]]]] = {
    check.__name__: check
    for check in (
        orders.one_live_order_per_product,
        orders.payer_is_winner,
        orders.amounts_fit_their_currency,
        orders.premiums_are_as_listed,
        orders.every_sale_has_an_order,
        orders.sales_fall_through_with_their_order,
        orders.what_is_listed_again_is_not_owed,
        orders.strikes_are_of_expired_orders,
        orders.no_order_is_overdue,
        orders.paid_sales_are_settled,
        payments.one_succeeded_payment_per_order,
        payments.payments_are_for_their_orders,
        payments.paid_means_money,
        payments.money_has_an_intent,
        refunds.refunds_stay_below_their_ceiling,
        refunds.orders_know_what_was_refunded,
        refunds.refunds_are_at_stripe,
        refunds.disputes_end_with_their_status,
        payouts.paid_orders_have_a_payout,
        payouts.payouts_take_back_the_sellers_share,
        payouts.payouts_are_levelled,
        payouts.transfers_are_at_stripe,
        events.events_are_dealt_with,
        cards.has_card_iff_one_is_saved,
        cards.cards_are_of_customers,
        cards.winners_are_charged_in_time,
    )
}
