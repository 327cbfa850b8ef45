"""The content of the demo: accounts, categories and products. Amounts are in the product's currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

PASSWORD: Final = "auctioncraft-demo"  # noqa: S105 (public; the command refuses to run in production)

STAFF: Final = "staff@example.com"
BUYER: Final = "buyer@example.com"
# E-mail address and display name. The first seller sells the product that the buyer has won.
SELLERS: Final = {
    "seller@example.com": "Harbor Street Finds",
    "seller2@example.com": "Paris Vintage",
    "seller3@example.com": "Oak Lane Antiques",
    "seller4@example.com": "Tokyo Trading",
}
BIDDERS: Final = {
    f"bidder{number}@example.com": name
    for number, name in enumerate(("Ada", "Bruno", "Chiyo", "Dalia", "Emeka", "Freya", "Gita", "Hugo"), start=1)
}

# Parent and children; the slug of a category is made from its name.
CATEGORIES: Final = {
    "Electronics": ("Cameras", "Audio", "Computers"),
    "Home": ("Furniture", "Kitchen"),
    "Collectibles": ("Watches", "Coins", "Books & Prints"),
    "Leisure": ("Instruments", "Bicycles"),
}


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """A product and its auction.

    `illustration` is a file in illustrations/, `seller` an index into SELLERS; with `starts_in` the auction is
    scheduled.
    """

    illustration: str
    name: str
    category: str
    starting_bid: str
    description: str
    currency: str = "USD"
    seller: int = 0
    reserve: str | None = None
    buy_now: str | None = None
    increment: str | None = None
    shipping: str | None = None
    duration: timedelta = timedelta(days=7)
    starts_in: timedelta | None = None


def _days(days: float) -> timedelta:
    return timedelta(days=days)


# Sold to the buyer by the first seller and not paid yet. The tour in the README pays for it.
UNPAID_PRODUCT: Final = DemoProduct(
    "folding_camera",
    "Folding camera, 1950s",
    "Cameras",
    "60.00",
    "Medium format camera with its leather case. The shutter is accurate at all speeds.",
    shipping="12.50",
)

# Listed again when all of them have ended.
ENDING_SOON: Final = (
    DemoProduct("typewriter", "Portable typewriter", "Collectibles", "35.00", "All keys work. New ribbon, with case."),
    DemoProduct("speakers", "Bookshelf speakers, pair", "Audio", "80.00", "Walnut, repaired last year."),
    DemoProduct("coffee_grinder", "Wooden coffee grinder", "Kitchen", "12.00", "Hand-operated.", "EUR", seller=1),
    DemoProduct("bicycle_print", "Framed bicycle print", "Books & Prints", "18.00", "30 x 40 cm.", "GBP", seller=2),
    DemoProduct("doll", "Painted wooden doll", "Collectibles", "2500", "Signed by the maker. 24 cm.", "JPY", seller=3),
    DemoProduct("keyboard", "Mechanical keyboard", "Computers", "45.00", "New keycaps.", reserve="65.00"),
)

PRODUCTS: Final = (
    DemoProduct(
        "camera",
        "Rangefinder camera with 50 mm lens",
        "Cameras",
        "240.00",
        "Serviced this spring. The rangefinder is clean and accurate. Small dent on the top plate.",
        reserve="320.00",
        buy_now="900.00",
        duration=_days(3),
    ),
    DemoProduct("telescope", "Brass telescope", "Collectibles", "115.00", "With its tripod.", duration=_days(2)),
    DemoProduct("lens", "Zoom lens, 35-70 mm", "Cameras", "55.00", "Clean glass. With both caps.", "EUR", seller=1),
    DemoProduct("projector", "Slide projector", "Cameras", "30.00", "With a spare lamp and tray.", shipping="18.00"),
    DemoProduct(
        "instant_camera",
        "Instant camera, 1978",
        "Cameras",
        "4800",
        "Tested with new film. With strap and a manual in Japanese.",
        "JPY",
        seller=3,
        duration=_days(4),
    ),
    DemoProduct(
        "turntable",
        "Record player",
        "Audio",
        "120.00",
        "New belt and new needle. Packed in its original box.",
        reserve="150.00",
        shipping="25.00",
        duration=_days(5),
    ),
    DemoProduct("amplifier", "Tube amplifier", "Audio", "310.00", "Four new tubes.", "EUR", seller=1, increment="20"),
    DemoProduct("headphones", "Studio headphones", "Audio", "65.00", "New ear pads.", buy_now="140.00"),
    DemoProduct("cassette_deck", "Cassette deck", "Audio", "90.00", "New belts.", "GBP", seller=2, duration=_days(1)),
    DemoProduct("radio", "Portable radio", "Audio", "40.00", "AM, FM and shortwave.", duration=_days(6)),
    DemoProduct(
        "home_computer",
        "Home computer, 1984",
        "Computers",
        "85.00",
        "With monitor, power supply and eleven games. The space bar sticks a little.",
        "GBP",
        seller=2,
        reserve="150.00",
    ),
    DemoProduct(
        "laptop", "Laptop, 14 inch", "Computers", "420.00", "32 GB memory.", buy_now="760.00", duration=_days(2)
    ),
    DemoProduct("drawing_tablet", "Drawing tablet, A4", "Computers", "50.00", "With its pen.", "EUR", seller=1),
    DemoProduct("calculator", "Pocket calculator, 1975", "Computers", "22.00", "Red display.", duration=_days(8)),
    DemoProduct("trackball", "Wireless trackball", "Computers", "3200", "Cleaned.", "JPY", seller=3),
    DemoProduct(
        "lounge_chair",
        "Danish armchair, 1962",
        "Furniture",
        "380.00",
        "Teak and wool, with the original cushions. Collection or delivery.",
        "EUR",
        seller=1,
        reserve="650.00",
        shipping="95.00",
        duration=_days(9),
    ),
    DemoProduct("desk", "Oak writing desk", "Furniture", "140.00", "Three drawers.", "GBP", seller=2),
    DemoProduct("chair", "Four stacking chairs", "Furniture", "75.00", "Wood and steel.", increment="5.00"),
    DemoProduct("lantern", "Paper lantern", "Furniture", "5500", "60 cm.", "JPY", seller=3, duration=_days(3)),
    DemoProduct("shelf", "Ladder shelf", "Furniture", "60.00", "Four boards.", starts_in=_days(1), shipping="30.00"),
    DemoProduct("saucepans", "Copper pans", "Kitchen", "110.00", "Set of three.", "EUR", seller=1, duration=_days(4)),
    DemoProduct(
        "knife",
        "Chef's knife, 21 cm",
        "Kitchen",
        "9000",
        "Carbon steel with a wooden handle. Sharpened and ready to use.",
        "JPY",
        seller=3,
        buy_now="24000",
    ),
    DemoProduct(
        "espresso_machine",
        "Espresso machine",
        "Kitchen",
        "260.00",
        "Lever machine with new seals.",
        reserve="340.00",
        duration=_days(2),
    ),
    DemoProduct("vase", "Blue vase", "Home", "28.00", "Hand-painted.", "GBP", seller=2, starts_in=timedelta(hours=6)),
    DemoProduct("coffee_pot", "Brass coffee pot", "Kitchen", "14.500", "From Kuwait, 1960s.", "KWD", seller=1),
    DemoProduct(
        "divers_watch",
        "Diver's watch, 1972",
        "Watches",
        "650.00",
        "Automatic. All original except the glass. Runs eight seconds fast per day. With service papers.",
        reserve="1100.00",
        duration=_days(6),
    ),
    DemoProduct(
        "pocket_watch", "Silver pocket watch", "Watches", "130.00", "From 1898.", "GBP", seller=2, duration=_days(5)
    ),
    DemoProduct("field_watch", "Field watch", "Watches", "95.00", "New strap.", increment="2.50", buy_now="210.00"),
    DemoProduct("chronograph", "Gold-plated chronograph", "Watches", "48.000", "Serviced.", "KWD", seller=3),
    DemoProduct("digital_watch", "Digital watch, 1983", "Watches", "18.00", "New battery.", starts_in=_days(2)),
    DemoProduct("silver_dollar", "Silver dollar, 1921", "Coins", "32.00", "Never cleaned.", duration=_days(3)),
    DemoProduct("gold_coin", "Gold coin, 1911", "Coins", "390.00", "London mint.", "GBP", seller=2, increment="10.00"),
    DemoProduct("coin_set", "Coin set, Kuwait 1961", "Coins", "9.750", "Six coins in a case.", "KWD", seller=1),
    DemoProduct("coin_pile", "World coins, 1 kg", "Coins", "10.00", "Unsorted.", duration=_days(1)),
    DemoProduct(
        "atlas",
        "World atlas, 1889",
        "Books & Prints",
        "150.00",
        "All 64 maps. Some brown spots and a few notes in pencil.",
        "EUR",
        seller=1,
        reserve="220.00",
        starts_in=timedelta(hours=12),
    ),
    DemoProduct(
        "river_print", "Woodblock print", "Books & Prints", "12000", "River.", "JPY", seller=3, duration=_days(10)
    ),
    DemoProduct(
        "paperbacks", "40 science fiction books", "Books & Prints", "20.00", "From 1955 to 1980.", shipping="8.00"
    ),
    DemoProduct(
        "guitar",
        "Archtop guitar, 1957",
        "Instruments",
        "880.00",
        "One repaired crack and new frets. Sounds wonderful. With a hard case.",
        reserve="1500.00",
        buy_now="3200.00",
        duration=_days(7),
    ),
    DemoProduct("accordion", "Accordion", "Instruments", "170.00", "In tune.", "GBP", seller=2, duration=_days(4)),
    DemoProduct("synthesizer", "Analog synthesizer", "Instruments", "340.00", "Two oscillators.", "EUR", seller=1),
    DemoProduct("trumpet", "Trumpet", "Instruments", "70.00", "With two mouthpieces.", starts_in=_days(3)),
    DemoProduct("bicycle", "Touring bicycle", "Bicycles", "230.00", "Steel frame, 56 cm.", duration=_days(5)),
    DemoProduct("wheels", "Pair of wheels", "Bicycles", "85.00", "700c.", "EUR", seller=1, buy_now="160.00"),
    DemoProduct("saddle", "Leather saddle", "Bicycles", "40.00", "Broken in.", "GBP", seller=2, duration=_days(2)),
)
