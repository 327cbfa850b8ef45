"""Products, auctions and bids.

`Product` is what the seller wrote; bids never change it. `Auction` is the one narrow row that bids change. `Bid`,
`BidVoid` and `AuctionEvent` are insert-only (ADR 0004).
"""

from auctions.models.account_withdrawal import AccountWithdrawal
from auctions.models.auction import Auction
from auctions.models.bids import AuctionEvent, Bid, BidVoid, EventOutbox
from auctions.models.image import ProductImage
from auctions.models.product import (
    PUBLIC_STATUSES,
    Category,
    Product,
    Watch,
    alias,
    minimum_bid_of,
    public_status,
    terms_of,
)
from auctions.models.second_chance import SecondChanceOffer
