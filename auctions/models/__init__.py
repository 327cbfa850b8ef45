"""What is sold and how the sale stands.

`Product` is what the seller wrote and bids never touch; `Auction` is the one narrow row that they move; `Bid`,
`BidVoid` and `AuctionEvent` are only ever inserted (ADR 0004).
"""

from auctions.models.auction import Auction
from auctions.models.bids import AuctionEvent, Bid, BidVoid, EventOutbox
from auctions.models.image import ProductImage
from auctions.models.product import PUBLIC_STATUSES, Category, Product, Watch, alias, minimum_bid_of, public_status
from auctions.models.second_chance import SecondChanceOffer

__all__ = [
    "PUBLIC_STATUSES",
    "Auction",
    "AuctionEvent",
    "Bid",
    "BidVoid",
    "Category",
    "EventOutbox",
    "Product",
    "ProductImage",
    "SecondChanceOffer",
    "Watch",
    "alias",
    "minimum_bid_of",
    "public_status",
]
