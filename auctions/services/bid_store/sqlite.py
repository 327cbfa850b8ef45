"""A bid on SQLite, through the ORM: the same conditions, in one short transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts.models import Session, User
from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, Bid, EventOutbox
from auctions.services.bid_store.types import AuctionSnapshot
from auctions.services.eligibility import Bidder, bidder_of

if TYPE_CHECKING:
    from accounts.services.tokens import Credential
    from auctions.services.bid_store.types import BidWrite


def read_snapshot(*, product_id: int, bidder_id: int, credential: Credential | None) -> AuctionSnapshot | None:
    """See Store.read_snapshot."""
    auction = Auction.objects.select_related("product__seller").filter(pk=product_id).first()
    if auction is None:
        return None
    session_id = credential.session_id if credential else None
    live = Session.objects.filter(
        pk__in=[session_id] if session_id else [], user_id=OuterRef("pk"), ended_at__isnull=True
    )
    user = User.objects.filter(pk=bidder_id).annotate(signed_in=Exists(live)).first()
    product, now = auction.product, clock.now()
    unknown = Bidder(strikes=0, has_card=False, unpaid_orders=0, is_new=True, has_defaulted=False)
    return AuctionSnapshot(
        rules=product.rules,
        terms=product.terms(),
        sale=product.sale_terms(),
        # A disabled seller's product takes no bid.
        state=replace(auction.state(), open=auction.state().open and product.seller.is_active),
        version=auction.version,
        seq=auction.seq,
        alias_salt=product.alias_salt,
        now=now,
        bidder_active=user is not None and user.is_active,
        bidder=bidder_of(user, defaulters=product.defaulters, now=now) if user else unknown,
        credential_good=credential is None
        or (user is not None and user.signed_in and user.token_version == credential.version),
    )


def write_bid(write: BidWrite) -> bool:
    """See Store.write_bid: one transaction."""
    with transaction.atomic():
        now = clock.now()
        auctions = Auction.objects.filter(
            Exists(User.objects.filter(pk=write.bidder_id, is_active=True)),
            pk=write.product_id,
            version=write.version,
            status=Auction.Status.OPEN,
            starts_at__lte=now,
            ends_at__gt=now,
        )
        state = write.state
        moved = auctions.update(
            leader=state.leader,
            leader_max=state.leader_max,
            price=state.price,
            bid_count=state.bid_count,
            ends_at=state.ends_at,
            last_bid_at=write.placed_at,
            seq=write.seq,
            version=write.version + 1,
        )
        if not moved:
            return False
        product, at = write.product_id, write.placed_at
        Bid.objects.bulk_create(
            Bid(product_id=product, version=write.version + 1, placed_at=at, **bid) for bid in write.bids
        )
        AuctionEvent.objects.bulk_create(
            AuctionEvent(product_id=product, created_at=at, **event) for event in write.events
        )
        EventOutbox.objects.bulk_create(EventOutbox(product_id=product, seq=event["seq"]) for event in write.events)
        if write.key:
            write.key.save(force_insert=True)
        return True
