"""What goes in and out of the payment calls."""

from payments.serializers.checkout import (
    CheckoutSerializer,
    CreatePaymentIntentSerializer,
    PaymentConfigSerializer,
    PremiumBandSerializer,
    ReceivedSerializer,
)
from payments.serializers.orders import AmountField, OrderPartySerializer, OrderProductSerializer, OrderSerializer

__all__ = [
    "AmountField",
    "CheckoutSerializer",
    "CreatePaymentIntentSerializer",
    "OrderPartySerializer",
    "OrderProductSerializer",
    "OrderSerializer",
    "PaymentConfigSerializer",
    "PremiumBandSerializer",
    "ReceivedSerializer",
]
