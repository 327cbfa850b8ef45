"""The API: DRF, its schema, limits of requests, CORS."""

from __future__ import annotations

from auctioncraft.api import reference
from auctioncraft.settings.environment import DEBUG, NUM_PROXIES, env

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["auctioncraft.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "auctioncraft.api.negotiation.JSONOnlyNegotiation",
    "DEFAULT_PARSER_CLASSES": ["auctioncraft.api.parsers.StrictJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "auctioncraft.api.pagination.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": ["auctioncraft.api.filters.ListFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "auctioncraft.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "auctioncraft.api.exceptions.handle_exception",
    "DEFAULT_THROTTLE_CLASSES": ["auctioncraft.api.throttling.Throttle"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "NUM_PROXIES": NUM_PROXIES,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AuctionCraft",
    "DESCRIPTION": reference.DESCRIPTION,
    "TAGS": reference.TAGS,
    # Descriptions that would only repeat the values.
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # No validator: Swagger UI's default is a third party's server.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/",
    # {product_pk} is shown as {product_id}.
    "SCHEMA_COERCE_PATH_PK_SUFFIX": True,
    "ENUM_NAME_OVERRIDES": {
        "ProductStatus": "auctions.models.PUBLIC_STATUSES",
        "OrderStatus": "payments.models.Order.Status",
        "OrderRole": ["buyer", "seller"],
        "OrderEventRole": "payments.models.OrderEvent.Role",
        "SellerState": "accounts.models.User.SellerState",
        "PaymentMethod": "payments.models.Method",
        "RecordedPaymentMethod": "payments.models.RECORDED_METHODS",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "auctioncraft.api.schema.add_error_responses",
    ],
}
CORS_ALLOWED_ORIGINS = env.list(
    "CORS_ALLOWED_ORIGINS", default=["http://localhost:3000", "http://localhost:5173"] if DEBUG else []
)
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "idempotency-key", "if-none-match", "last-event-id", "x-request-id"),
]
CORS_EXPOSE_HEADERS = ["ETag", "Retry-After", "X-Request-ID"]
CORS_URLS_REGEX = r"^/api/"
