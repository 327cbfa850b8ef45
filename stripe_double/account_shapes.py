"""The shape of a connected account, before its onboarding.

Source: https://docs.stripe.com/api/accounts/object
"""

from __future__ import annotations

import time
from typing import Any

from stripe_double.objects import EMPTY_ADDRESS, new_id

JSON = dict[str, Any]

# Countries Stripe onboards in, with their currency. Source: https://stripe.com/global
CURRENCIES = (
    dict.fromkeys("AT BE CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK".split(), "eur")  # noqa: SIM905
    | {"AE": "aed", "AU": "aud", "BG": "bgn", "BR": "brl", "CA": "cad", "CH": "chf", "CZ": "czk", "DK": "dkk"}
    | {"GB": "gbp", "HK": "hkd", "HU": "huf", "IN": "inr", "JP": "jpy", "MX": "mxn", "MY": "myr", "NO": "nok"}
    | {"NZ": "nzd", "PL": "pln", "RO": "ron", "SE": "sek", "SG": "sgd", "TH": "thb", "US": "usd"}
)
DUE = ("business_profile.url", "external_account", "tos_acceptance.date", "tos_acceptance.ip")
EMPTY_REQUIREMENTS: JSON = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}
# What each `type` means. Source: https://docs.stripe.com/connect/migrate-to-controller-properties
CONTROLLERS: dict[str, tuple[str, str, str, str]] = {
    "express": ("application_express", "application", "stripe", "express"),
    "custom": ("application_custom", "application", "application", "none"),
    "standard": ("account", "stripe", "stripe", "full"),
}


def account(type_: str | None, controller: JSON, country: str) -> JSON:
    """Return a new account of one of Stripe's types, or (`type_` None) with these controller properties."""
    account_id = new_id("acct", 16)
    external = {
        "object": "list",
        "data": [],
        "has_more": False,
        "url": f"/v1/accounts/{account_id}/external_accounts",
    }
    return {
        "id": account_id,
        "object": "account",
        "business_profile": _profile(),
        "business_type": None,
        "capabilities": {},
        "charges_enabled": False,
        "controller": _controller(type_, controller),
        "country": country,
        "created": int(time.time()),
        "default_currency": CURRENCIES[country],
        "details_submitted": False,
        "email": None,
        "external_accounts": external,
        "future_requirements": EMPTY_REQUIREMENTS,
        "metadata": {},
        "payouts_enabled": False,
        "requirements": _initial_requirements(),
        "settings": _settings(),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": type_ or "none",
    }


def _initial_requirements() -> JSON:
    """Return the requirements of an account before onboarding."""
    due = list(DUE)
    return EMPTY_REQUIREMENTS | {
        "currently_due": due,
        "disabled_reason": "requirements.past_due",
        "eventually_due": due,
        "past_due": due,
    }


def _controller(type_: str | None, asked: JSON) -> JSON:
    fees, losses, collection, dashboard = CONTROLLERS[type_ or "standard"]

    def chosen(name: str, field: str, default: str) -> JSON:
        value = asked.get(name)
        return {field: value.get(field, default) if isinstance(value, dict) else default}

    return {
        "type": "application",
        "fees": chosen("fees", "payer", fees),
        "is_controller": True,
        "losses": chosen("losses", "payments", losses),
        "requirement_collection": asked.get("requirement_collection", collection),
        "stripe_dashboard": chosen("stripe_dashboard", "type", dashboard),
    }


def _profile() -> JSON:
    return {
        "annual_revenue": None,
        "estimated_worker_count": None,
        "mcc": None,
        "minority_owned_business_designation": None,
        "name": None,
        "product_description": None,
        "support_address": EMPTY_ADDRESS,
        "support_email": None,
        "support_phone": None,
        "support_url": None,
        "url": None,
    }


def _settings() -> JSON:
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
        "payments": {
            "statement_descriptor": None,
            "statement_descriptor_kana": None,
            "statement_descriptor_kanji": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 2, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }
