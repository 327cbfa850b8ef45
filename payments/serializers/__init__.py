"""The serializers of the payments API."""

from payments.serializers.cards import (
    CardSerializer,
    CardSetupSerializer,
    SaveCardSerializer,
    UpdateCardSerializer,
)
from payments.serializers.checkout import (
    CheckoutSerializer,
    CreatePaymentIntentSerializer,
    PaymentConfigSerializer,
    PremiumBandSerializer,
    WebhookReceivedSerializer,
)
from payments.serializers.orders import (
    OrderDetailSerializer,
    OrderEventSerializer,
    OrderPartySerializer,
    OrderProductSerializer,
    OrderSerializer,
    RefundResultSerializer,
)
from payments.serializers.refunds import (
    DisputeSerializer,
    RefundRequestSerializer,
    RefundSerializer,
    SurplusSerializer,
)
from payments.serializers.sellers import OnboardingSerializer, PayoutSerializer, SellerAccountSerializer

__all__ = [
    "CardSerializer",
    "CardSetupSerializer",
    "CheckoutSerializer",
    "CreatePaymentIntentSerializer",
    "DisputeSerializer",
    "OnboardingSerializer",
    "OrderDetailSerializer",
    "OrderEventSerializer",
    "OrderPartySerializer",
    "OrderProductSerializer",
    "OrderSerializer",
    "PaymentConfigSerializer",
    "PayoutSerializer",
    "PremiumBandSerializer",
    "RefundRequestSerializer",
    "RefundResultSerializer",
    "RefundSerializer",
    "SaveCardSerializer",
    "SellerAccountSerializer",
    "SurplusSerializer",
    "UpdateCardSerializer",
    "WebhookReceivedSerializer",
]
