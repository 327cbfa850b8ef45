"""The tables of money."""

from payments.models.customers import Customer, SavedCard, SellerAccount
from payments.models.orders import Order, OrderEvent
from payments.models.payments import RECORDED_METHODS, Dispute, Method, Payment, Refund
from payments.models.payouts import Payout, SellerHold, TransferReversal
from payments.models.stripe import Reconciliation, StripeEvent
