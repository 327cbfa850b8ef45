"""Who may do what: each endpoint and method with the status for each role. The users and ids are in scenario.py.

An endpoint may have several rows, for different states of its product.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.scenario import ROLES

# anonymous, stranger, seller, bidder, winner, staff, disabled
STATUSES = """
GET    /api/                                         200 200 200 200 200 200 200
GET    /api/schema/                                  200 200 200 200 200 200 200
GET    /api/docs/                                    200 200 200 200 200 200 200

POST   /api/auth/otp/request/                        200 200 200 200 200 200 200
POST   /api/auth/otp/verify/                         200 200 200 200 200 200 200
POST   /api/auth/token/                              200 200 200 200 200 200 200
POST   /api/auth/token/refresh/                      200 200 200 200 200 200 200
POST   /api/auth/password/reset/                     200 200 200 200 200 200 200
POST   /api/auth/password/reset/confirm/             200 200 200 200 200 200 200
POST   /api/auth/logout/                             204 204 204 204 204 204 204
GET    /api/auth/sessions/                           401 200 200 200 200 200 401
DELETE /api/auth/sessions/{session}/                 401 404 404 404 204 404 401
POST   /api/users/register/                          201 201 201 201 201 201 201
GET    /api/users/me/                                401 200 200 200 200 200 401
PATCH  /api/users/me/                                401 200 200 200 200 200 401
DELETE /api/users/me/                                401 204 409 409 409 409 401
GET    /api/users/me/export/                         401 200 200 200 200 200 401
POST   /api/users/me/code/                           401 200 200 200 200 200 401
POST   /api/users/me/email/                          401 200 200 200 200 200 401
POST   /api/users/me/email/confirm/                  401 200 200 200 200 200 401

GET    /api/categories/                              200 200 200 200 200 200 401
POST   /api/categories/                              401 403 403 403 403 201 401
GET    /api/categories/{category}/                   200 200 200 200 200 200 401
PATCH  /api/categories/{category}/                   401 403 403 403 403 200 401
DELETE /api/categories/{empty}/                      401 403 403 403 403 204 401
DELETE /api/categories/{category}/                   401 403 403 403 403 409 401

GET    /api/products/                                200 200 200 200 200 200 401
POST   /api/products/                                401 201 201 201 201 201 401
GET    /api/products/{open}/                         200 200 200 200 200 200 401
PATCH  /api/products/{fresh}/                        401 403 200 403 403 200 401
PATCH  /api/products/{won}/                          401 403 409 403 403 409 401
DELETE /api/products/{fresh}/                        401 403 204 403 403 204 401
DELETE /api/products/{open}/                         401 403 409 403 403 409 401
POST   /api/products/{open}/close_auction/           401 403 200 403 403 200 401
POST   /api/products/{won}/close_auction/            401 403 409 403 403 409 401
POST   /api/products/{open}/cancel/                  401 403 409 403 403 200 401
POST   /api/products/{fresh}/cancel/                 401 403 200 403 403 200 401
POST   /api/products/{open}/extend/                  401 403 403 403 403 200 401
POST   /api/products/{fresh}/buy_now/                401 200 403 200 200 200 401
POST   /api/products/{below}/accept_below_reserve/   401 403 200 403 403 403 401
POST   /api/products/{below}/relist/                 401 403 201 403 403 403 401
POST   /api/products/{fell}/offer_second_chance/     401 403 201 403 403 201 401
POST   /api/products/{offered}/accept_second_chance/ 401 404 404 200 404 404 401
POST   /api/products/{offered}/decline_second_chance/ 401 404 404 200 404 404 401
POST   /api/products/{open}/watch/                   401 204 204 204 204 204 401
DELETE /api/products/{open}/watch/                   401 204 204 204 204 204 401
GET    /api/products/{open}/bids/                    200 200 200 200 200 200 401
POST   /api/products/{open}/bids/                    401 201 403 201 201 201 401
POST   /api/products/{won}/bids/                     401 409 403 409 409 409 401
POST   /api/products/{open}/bids/preview/            401 200 200 200 200 200 401
POST   /api/products/{open}/bids/{bid}/void/         401 403 403 403 403 200 401
GET    /api/products/{open}/events/                  200 200 200 200 200 200 401
GET    /api/products/{fresh}/images/                 200 200 200 200 200 200 401
POST   /api/products/{fresh}/images/                 401 403 201 403 403 201 401
DELETE /api/products/{fresh}/images/{image}/         401 403 204 403 403 204 401
GET    /api/bids/                                    401 200 200 200 200 200 401

GET    /api/payments/config/                         200 200 200 200 200 200 200
GET    /api/payments/orders/                         401 200 200 200 200 200 401
GET    /api/payments/orders/{order}/                 401 404 200 404 200 200 401
GET    /api/payments/orders/{order}/receipt/         401 404 200 404 200 200 401
GET    /api/payments/orders/{order}/receipt/pdf/     401 404 200 404 200 200 401
POST   /api/payments/orders/{order}/refund/          401 404 409 404 403 409 401
POST   /api/payments/orders/{settled}/refund/        401 404 201 404 403 201 401
POST   /api/payments/orders/{order}/record_payment/  401 404 403 404 403 201 401
GET    /api/payments/payouts/                        401 200 200 200 200 200 401
POST   /api/payments/payouts/{payout}/hold/          401 404 403 404 404 200 401
POST   /api/payments/payouts/{payout}/release/       401 404 403 404 404 409 401
GET    /api/payments/seller/                         401 200 200 200 200 200 401
POST   /api/payments/seller/onboard/                 401 409 409 409 409 409 401
GET    /api/payments/cards/                          401 200 200 200 200 200 401
POST   /api/payments/cards/                          401 404 404 404 201 404 401
POST   /api/payments/cards/setup/                    401 200 200 200 200 200 401
PATCH  /api/payments/cards/{card}/                   401 404 404 404 200 404 401
DELETE /api/payments/cards/{card}/                   401 404 404 404 204 404 401
POST   /api/payments/create-payment-intent/          401 403 403 403 200 403 401
POST   /api/stripe/webhook/                          400 400 400 400 400 400 400

GET    /api/auth/notifications/                      401 200 200 200 200 200 401
POST   /api/auth/notifications/{notification}/read/        401 404 404 404 200 404 401
POST   /api/auth/notifications/read_all/             401 200 200 200 200 200 401
"""

PASSWORD = {"password": "{password}"}
# The bodies of the requests that need one.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/auth/otp/request/": {"email": "another@example.com"},
    "POST /api/auth/otp/verify/": {"email": "new@example.com", "code": "{code}"},
    "POST /api/auth/token/": {"username": "stranger@example.com", **PASSWORD},
    "POST /api/auth/token/refresh/": {"refresh": "{refresh}"},
    "POST /api/auth/password/reset/": {"email": "another@example.com"},
    "POST /api/auth/password/reset/confirm/": {
        "email": "winner@example.com",
        "code": "{reset_code}",
        "password": "staple battery horse",
    },
    "POST /api/auth/logout/": {"refresh": "{refresh}"},
    "POST /api/users/register/": {"email": "another@example.com", **PASSWORD},
    "PATCH /api/users/me/": {"display_name": "Somebody"},
    "DELETE /api/users/me/": PASSWORD,
    "POST /api/users/me/email/": {"email": "another@example.com", **PASSWORD},
    "POST /api/users/me/email/confirm/": {"code": "{own_code}"},
    "POST /api/categories/": {"name": "Lamps"},
    "PATCH /api/categories/{category}/": {"name": "Lamps"},
    "DELETE /api/categories/{empty}/": {"reason": "A mistake."},
    "DELETE /api/categories/{category}/": {"reason": "A mistake."},
    "DELETE /api/products/{fresh}/": {"reason": "A mistake."},
    "POST /api/products/": {"name": "Lamp", "category": "{category}", "starting_bid": "5"},
    "PATCH /api/products/{fresh}/": {"name": "Lamp"},
    "PATCH /api/products/{won}/": {"name": "Lamp"},
    "POST /api/products/{open}/extend/": {"ends_at": "{later}", "reason": "An outage."},
    "POST /api/products/{open}/cancel/": {"reason": "A mistake."},
    "POST /api/products/{fresh}/cancel/": {"reason": "A mistake."},
    "POST /api/products/{below}/relist/": {"name": "Lamp again"},
    "POST /api/products/{open}/bids/": {"amount": "30"},
    "POST /api/products/{won}/bids/": {"amount": "30"},
    "POST /api/products/{open}/bids/preview/": {"amount": "30"},
    "POST /api/products/{fresh}/buy_now/": {"price": "70"},
    "POST /api/products/{open}/bids/{bid}/void/": {"reason": "A mistake."},
    "POST /api/products/{fresh}/images/": {"image": "a file"},
    "POST /api/payments/create-payment-intent/": {"product_id": "{won}"},
    # Small enough for every test of a scenario to refund it.
    "POST /api/payments/orders/{order}/refund/": {"note": "A test."},
    "POST /api/payments/orders/{settled}/refund/": {"amount": "0.50", "note": "A test."},
    "POST /api/payments/orders/{order}/record_payment/": {
        "note": "A test.",
        "amount": "{total}",
        "currency": "USD",
        "method": "cash",
        "received_on": "2026-01-31",
    },
    "POST /api/payments/payouts/{payout}/hold/": {"reason": "Buyers complain."},
    "POST /api/payments/payouts/{payout}/release/": {"reason": "A mistake."},
    "POST /api/payments/cards/": {"setup_intent_id": "{setup}"},
    "PATCH /api/payments/cards/{card}/": {"charge_when_winning": False},
}


class Row(NamedTuple):
    """An endpoint, a method, and the status for each role in the order of ROLES."""

    method: str
    path: str
    statuses: tuple[int, ...]

    @property
    def address(self) -> str:
        """Return method and path."""
        return f"{self.method} {self.path}"

    @property
    def body(self) -> dict[str, Any] | None:
        """Return the body to send."""
        return BODIES.get(self.address)


def _read(line: str) -> Row:
    method, path, *statuses = line.split()
    assert len(statuses) == len(ROLES), line
    return Row(method, path, tuple(map(int, statuses)))


ROWS = [_read(line) for line in STATUSES.splitlines() if line]
