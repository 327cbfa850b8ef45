"""What goes in and out of the payment calls."""

from payments.serializers.cards import (
    CardSerializer,
    CardSetupSerializer,
    ChangeCardSerializer,
    KeepCardSerializer,
)
from payments.serializers.checkout import (
    CheckoutSerializer,
    CreatePaymentIntentSerializer,
    PaymentConfigSerializer,
    PremiumBandSerializer,
    ReceivedSerializer,
)
from payments.serializers.fields import AmountField
from payments.serializers.orders import (
    OrderDetailSerializer,
    OrderEventSerializer,
    OrderPartySerializer,
    OrderProductSerializer,
    OrderSerializer,
    RefundedSerializer,
)
from payments.serializers.refunds import (
    DisputeSerializer,
    RefundSerializer,
    RequestRefundSerializer,
    SurplusSerializer,
)
from payments.serializers.sellers import OnboardingSerializer, PayoutSerializer, SellerSerializer

__all__ = [
    "AmountField",
    "CardSerializer",
    "CardSetupSerializer",
    "ChangeCardSerializer",
    "CheckoutSerializer",
    "CreatePaymentIntentSerializer",
    "DisputeSerializer",
    "KeepCardSerializer",
    "OnboardingSerializer",
    "OrderDetailSerializer",
    "OrderEventSerializer",
    "OrderPartySerializer",
    "OrderProductSerializer",
    "OrderSerializer",
    "PaymentConfigSerializer",
    "PayoutSerializer",
    "PremiumBandSerializer",
    "ReceivedSerializer",
    "RefundSerializer",
    "RefundedSerializer",
    "RequestRefundSerializer",
    "SellerSerializer",
    "SurplusSerializer",
]
