"""The refusals of an auction. Their codes are public."""

from __future__ import annotations

from auctioncraft.errors import DomainError, PermissionDenied


class SellerCannotBid(PermissionDenied):
    """A seller bids on their own product."""

    code = "seller_cannot_bid"
    detail = "You cannot bid on your own product."


class BidderSuspended(PermissionDenied):
    """Too many won auctions were not paid."""

    code = "bidder_suspended"
    detail = "You may not bid until our staff have looked at your unpaid orders."


class AuctionNotOpen(DomainError):
    """Not yet started, past its end, closed or cancelled."""

    code = "auction_not_open"
    detail = "This auction is not open for bids."
    status = 409


class MaximumNotRaised(DomainError):
    """The leader bids no more than their own maximum."""

    code = "maximum_not_raised"
    detail = "You are leading; a new maximum must be above yours."
    status = 409


class BidTooLow(DomainError):
    """Below the minimum bid, which the answer names."""

    code = "bid_too_low"
    detail = "The bid is below the minimum."


class AuctionAlreadyClosed(DomainError):
    """It has its result."""

    code = "auction_already_closed"
    detail = "This auction is closed already."
    status = 409


class CategoryInUse(DomainError):
    """It has products or categories below it."""

    code = "category_in_use"
    detail = "This category has products or categories below it."
    status = 409
