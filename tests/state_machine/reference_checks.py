"""Reads the database and the model into the same form and compares them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection

from auctions.formats.base import reserve_met
from auctions.models import Auction
from tests.state_machine.model_bids import DECIMALS

EPOCH = datetime(2030, 3, 30, 12, tzinfo=UTC)  # the model's zero


def moment(us):
    return None if us is None else EPOCH + timedelta(microseconds=us)


def since_epoch(at):
    """In microseconds; SQLite's times know no zone and are UTC."""
    return None if at is None else (at.replace(tzinfo=at.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)


def money(minor, currency):
    return None if minor is None else Decimal(minor).scaleb(-DECIMALS[currency])


def minor(amount, currency):
    """Exactly, or the amount itself, which then equals nothing."""
    if amount is None:
        return None
    scaled = amount.scaleb(DECIMALS[currency])
    return int(scaled) if scaled == int(scaled) else amount


def differences(market, names, touched):
    """Return how the two differ: in every auction, order, offer and strike, and in the log of the `touched` lots."""
    details, found = _expected(market, touched), _stored(names, [lot.id for lot in touched])
    return [
        f"{what}: {found.get(what)}, expected {details.get(what)}"
        for what in sorted(details.keys() | found.keys(), key=str)
        if details.get(what) != found.get(what)
    ]


def _expected(market, touched):
    facts = {}
    for lot in market.lots:
        if not lot.deleted:
            facts[lot.id, "auction"] = _auction(lot)
            facts[lot.id, "offers"] = [(o.bidder, o.amount, o.status, o.until) for o in lot.offers] or None
    for lot in touched:
        if not lot.deleted:
            facts[lot.id, "log"] = list(enumerate(lot.events, 1))
            facts[lot.id, "public"] = lot.terms.minimum(lot.bid_state), lot.terms.met(lot.bid_state)
            facts[lot.id, "history"] = [
                (row.seq, row.bidder, row.price, row.bid is None, row.at, row.bid is not None and row.bid.void)
                for row in lot.rows
            ]
            facts[lot.id, "bids"] = [(bid.bidder, bid.amount, bid.most, bid.seq, bid.void) for bid in lot.bids]
    for order in market.orders:
        facts.setdefault((order.lot.id, "orders"), []).append(
            (
                order.buyer,
                order.hammer,
                order.premium,
                order.total,
                order.status,
                order.due,
                order.ended,
                order.reminders_sent,
            )
        )
    return facts | {"strikes": {who: strikes for who, strikes in market.strikes.items() if strikes}}


def _auction(lot):
    bid_state, old = lot.bid_state, lot.old
    return {
        "result": (lot.status, lot.result, lot.sale, lot.winner, lot.hammer),
        "bid_state": (bid_state.leader, bid_state.most, bid_state.price, bid_state.count),
        "seq": len(lot.events),
        "times": (lot.starts, lot.ends, lot.hard),
        "after": (lot.closed, lot.settled, lot.fell),
        "product": (lot.text, len(lot.watchers), None if old is None or old.deleted else old.id),
    }


# Plain SQL, for it is read after every step. Amounts in thousandths, whatever the currency.
_AUCTIONS = """
SELECT a.product_id, p.currency, a.status, a.result, a.sale_type, a.winner_id, ROUND(a.hammer_price * 1000),
       a.leader_id, ROUND(a.leader_max * 1000), ROUND(a.price * 1000), a.bid_count, a.seq, a.starts_at, a.ends_at,
       a.hard_ends_at, a.closed_at, a.paid_at, a.payment_defaulted_at, p.description, p.watch_count, p.relisted_from_id
FROM auctions_auction a JOIN auctions_product p ON p.id = a.product_id"""
_OFFERS = """
SELECT product_id, bidder_id, ROUND(amount * 1000), status, expires_at FROM auctions_secondchanceoffer ORDER BY id"""
_ORDERS = """
SELECT product_id, buyer_id, ROUND(hammer_price * 1000), ROUND(buyers_premium * 1000), ROUND(total * 1000), status,
       due_at, paid_at, expired_at, reminders_sent
FROM payments_order ORDER BY id"""
_STRIKES = "SELECT id, strikes FROM accounts_user WHERE strikes > 0"
_EVENTS = "SELECT product_id, seq, kind FROM auctions_auctionevent WHERE product_id IN ({}) ORDER BY seq"
_BIDS = """
SELECT b.product_id, b.bidder_id, ROUND(b.displayed_amount * 1000), ROUND(b.amount * 1000), ROUND(b.max_amount * 1000),
       b.seq, b.outcome = 'automatic', b.placed_at, v.version IS NOT NULL
FROM auctions_bid b LEFT JOIN auctions_bidvoid v ON v.bid_id = b.id
WHERE b.product_id IN ({}) ORDER BY b.version, b.position"""


def _stored(names, touched):
    facts, currencies = defaultdict(list), {}
    for pk, currency, status, result, sale, winner, hammer, leader, most, price, count, seq, *row in _read(_AUCTIONS):
        *times, text, watchers, old = row
        currencies[pk] = currency
        facts[pk, "auction"] = {
            "result": (status, result, sale, names.get(winner), _minor(hammer, currency)),
            "bid_state": (names.get(leader), _minor(most, currency), _minor(price, currency), count),
            "seq": seq,
            "times": tuple(since_epoch(at) for at in times[:3]),
            "after": tuple(since_epoch(at) for at in times[3:]),
            "product": (text, watchers, old),
        }
    for pk, bidder, amount, status, until in _read(_OFFERS):
        facts[pk, "offers"].append((names[bidder], _minor(amount, currencies[pk]), status, since_epoch(until)))
    for pk, buyer, *amounts, status, due, paid, expired, reminders in _read(_ORDERS):
        sums = (_minor(amount, currencies[pk]) for amount in amounts)
        facts[pk, "orders"].append(
            (names[buyer], *sums, status, since_epoch(due), since_epoch(paid or expired), reminders)
        )
    facts["strikes"] = {names[pk]: count for pk, count in _read(_STRIKES)}
    if touched:
        _read_logs(facts, names, touched, currencies)
    return facts


def _read_logs(facts, names, touched, currencies):
    for auction in Auction.objects.select_related("product").filter(pk__in=touched):
        terms = auction.product.terms()
        minimum = minor(auction.product.rules.minimum_bid(terms, auction.price), terms.currency)
        facts[auction.pk, "public"] = minimum, reserve_met(terms.reserve_price, auction.price)
        facts[auction.pk, "log"], facts[auction.pk, "bids"], facts[auction.pk, "history"] = [], [], []
    ids = ",".join(map(str, touched))
    for pk, seq, kind in _read(_EVENTS.format(ids)):
        facts[pk, "log"].append((seq, kind))
    for pk, bidder, *amounts, seq, automatic, at, void in _read(_BIDS.format(ids)):
        price, amount, most = (_minor(value, currencies[pk]) for value in amounts)
        if not automatic:
            facts[pk, "bids"].append((names[bidder], amount, most, seq, bool(void)))
        if seq is not None:
            facts[pk, "history"].append((seq, names[bidder], price, bool(automatic), since_epoch(at), bool(void)))


def _read(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _minor(thousandths, currency):
    """As `minor`."""
    if thousandths is None:
        return None
    whole, rest = divmod(int(thousandths), 10 ** (3 - DECIMALS[currency]))
    return f"{thousandths} thousandths" if rest else whole
