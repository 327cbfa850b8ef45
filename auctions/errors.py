"""The refusals of an auction. Their codes are public."""

from __future__ import annotations

from auctioncraft.core.errors import DomainError, PermissionDenied


class SellerCannotBid(PermissionDenied):
    """A seller bids on their own product."""

    code = "seller_cannot_bid"
    detail = "You cannot bid on your own product."


class BidderSuspended(PermissionDenied):
    """Too many won auctions were not paid."""

    code = "bidder_suspended"
    detail = "You may not bid until our staff have looked at your unpaid orders."


class CardRequired(PermissionDenied):
    """The house wants a card on file for more than `above`, which the answer names."""

    code = "card_required"
    detail = "For that much you need a card on file."


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


class AuctionHasBids(DomainError):
    """What people have bid on stays as it is."""

    code = "auction_has_bids"
    detail = "This product has bids, so that cannot be changed any more."
    status = 409


class BuyNowUnavailable(DomainError):
    """It has no buy-now price, or bidding has taken it away."""

    code = "buy_now_unavailable"
    detail = "This product cannot be bought now."
    status = 409


class ReserveNotAcceptable(DomainError):
    """There is no offer below the reserve to accept, or not any more."""

    code = "reserve_not_acceptable"
    detail = "There is no price below the reserve to accept, or its 48 hours are over."
    status = 409


class BidAlreadyVoided(DomainError):
    """A bid is voided once."""

    code = "bid_already_voided"
    detail = "This bid is void already."
    status = 409


class NotRelistable(DomainError):
    """It is not unsold, or was listed again already, or is on offer to somebody."""

    code = "not_relistable"
    detail = "Only an unsold product that is on offer to nobody can be listed again, and only once."
    status = 409


class SecondChanceUnavailable(DomainError):
    """No sale fell through, or there is nobody left to offer the product to."""

    code = "second_chance_unavailable"
    detail = "There is nobody to whom this product could be offered now."
    status = 409


class SecondChanceNotOpen(DomainError):
    """The offer was answered, or has lapsed."""

    code = "second_chance_not_open"
    detail = "This offer is not open any more."
    status = 409


class TooManyImages(DomainError):
    """A product has twelve pictures at most."""

    code = "too_many_images"
    detail = "This product has as many pictures as it may have."
    status = 409
