"""Errors of auctions. Their codes are public."""

from __future__ import annotations

from auctioncraft.core.errors import Conflict, DomainError, PermissionDenied


class SellerCannotBid(PermissionDenied):
    """The seller bids on their own product."""

    code = "seller_cannot_bid"
    detail = "You cannot bid on your own product."


class BidderSuspended(PermissionDenied):
    """The bidder did not pay for too many won auctions."""

    code = "bidder_suspended"
    detail = "You cannot bid: you have unpaid orders. Please contact support."


class CardRequired(PermissionDenied):
    """Bids above `above`, which the answer contains, need a card on file."""

    code = "card_required"
    detail = "Add a card to bid this amount."


class TooManyUnpaidOrders(PermissionDenied):
    """The account has `max_unpaid_orders` orders that await payment, or more."""

    code = "unpaid_orders"
    detail = "You have too many unpaid orders. Pay one of them to bid or buy again."


class DefaulterCannotBid(PermissionDenied):
    """The bidder won an earlier listing of the product and did not pay."""

    code = "defaulter_cannot_bid"
    detail = "You cannot bid on this product: you did not pay for it when it was listed before."


class AuctionNotOpen(Conflict):
    """The auction has not started, has ended, or is closed."""

    code = "auction_not_open"
    detail = "This auction is not open for bids."


class MaximumNotRaised(Conflict):
    """The leader bids no more than their own maximum."""

    code = "maximum_not_raised"
    detail = "You are already leading. A new maximum must be above your current one."


class BidTooLow(DomainError):
    """The bid is below `minimum_bid`, which the answer contains."""

    code = "bid_too_low"
    detail = "Your bid is below the minimum bid."


class AuctionAlreadyClosed(Conflict):
    """The auction has its result."""

    code = "auction_already_closed"
    detail = "This auction is already closed."


class CategoryInUse(Conflict):
    """The category has products, or categories below it."""

    code = "category_in_use"
    detail = "This category has products or categories below it."


class AuctionHasBids(Conflict):
    """A product with bids cannot be changed."""

    code = "auction_has_bids"
    detail = "This product has bids and can no longer be changed."


class TermsFixed(Conflict):
    """A started auction keeps its currency and start, and its shipping may only fall."""

    code = "terms_fixed"
    detail = "The auction has started: its currency and start are fixed, and shipping may only fall. To change them, "
    detail += "delete the product and list it again."


class PriceChanged(Conflict):
    """It costs more than the buyer saw. The answer has `price`, `shipping`, `premium`, `total` and `currency`."""

    code = "price_changed"
    detail = "The price has changed, and nothing was bought or bid. Please look at the new price and confirm it."


class BuyNowUnavailable(Conflict):
    """The product has no buy-now price, or bidding has ended it."""

    code = "buy_now_unavailable"
    detail = "You cannot buy this product now."


class ReserveNotAcceptable(Conflict):
    """There is no price below the reserve that the seller can accept."""

    code = "reserve_not_acceptable"
    detail = "There is no price below the reserve to accept, or the 48 hours to accept it are over."


class BidAlreadyVoided(Conflict):
    """The bid was voided before."""

    code = "bid_already_voided"
    detail = "This bid is already void."


class NotRelistable(Conflict):
    """The product is not unsold, was relisted before, or has an open second-chance offer."""

    code = "not_relistable"
    detail = "Only an unsold product without an open second-chance offer can be relisted, and only once."


class SecondChanceUnavailable(Conflict):
    """The buyer has not defaulted, or there is no bidder left to offer the product to."""

    code = "second_chance_unavailable"
    detail = "There is no bidder to offer this product to."


class SecondChanceNotOpen(Conflict):
    """The offer was answered or has expired."""

    code = "second_chance_not_open"
    detail = "This offer is no longer open."


class TooManyImages(Conflict):
    """The product has the maximum number of images, `limit`."""

    code = "too_many_images"
    detail = "A product can have at most {limit} images."

    def __init__(self, limit: int) -> None:
        """`limit`: the maximum."""
        super().__init__(self.detail.format(limit=limit), limit=limit)


class ImageQuotaReached(TooManyImages):
    """The account added the maximum number of images, `limit`, in the last 30 days."""

    code = "image_quota_reached"
    detail = "You added {limit:,} images in the last 30 days, which is the most for your account. Please try later."


class ListingQuotaReached(Conflict):
    """The account has the maximum number of open listings, `limit`."""

    code = "listing_quota_reached"
    detail = "You have {limit:,} open listings, which is the most for your account. Please wait until one has ended."

    def __init__(self, limit: int) -> None:
        """`limit`: the maximum."""
        super().__init__(self.detail.format(limit=limit), limit=limit)
