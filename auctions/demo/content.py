"""What is in the demo: people, the tree of categories, and what is sold. Amounts are in the listing's currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

PASSWORD: Final = "auctioncraft-demo"  # noqa: S105 (public on purpose; the command refuses to run in production)

STAFF: Final = "staff@example.com"
BUYER: Final = "buyer@example.com"
# Address and display name. The first sells what the buyer has won.
SELLERS: Final = {
    "seller@example.com": "Harbour Street Finds",
    "seller2@example.com": "Maison Lumière",
    "seller3@example.com": "Thistle & Oak",
    "seller4@example.com": "Kobo Trading",
}
BIDDERS: Final = {
    f"bidder{number}@example.com": name
    for number, name in enumerate(("Ada", "Bruno", "Chiyo", "Dalia", "Emeka", "Freya", "Gita", "Hugo"), start=1)
}

# Parent → children; a category's slug is made from its name.
CATEGORIES: Final = {
    "Electronics": ("Cameras", "Audio", "Computers"),
    "Home": ("Furniture", "Kitchen"),
    "Collectibles": ("Watches", "Coins", "Books & Prints"),
    "Leisure": ("Instruments", "Bicycles"),
}


@dataclass(frozen=True, slots=True)
class Listing:
    """A product as its seller lists it; `seller` is a place in SELLERS, `starts_in` makes it a scheduled one."""

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
    runs: timedelta = timedelta(days=7)
    starts_in: timedelta | None = None


def _days(days: float) -> timedelta:
    return timedelta(days=days)


# Sold to the buyer by the first seller, and not paid yet: the README's tour pays for it.
UNPAID_PRODUCT: Final = Listing(
    "Folding camera, 6x6, 1950s",
    "Cameras",
    "60.00",
    "Medium-format folder with its leather case. Bellows light-tight, shutter accurate at all speeds.",
    shipping="12.50",
)

# Listed anew whenever all of them have ended.
ENDING_SOON: Final = (
    Listing(
        "Portable typewriter, cream", "Collectibles", "35.00", "Every key types. New ribbon, original case and key."
    ),
    Listing("Bookshelf speakers, walnut, pair", "Audio", "80.00", "Two-way, re-foamed last year; matched serials."),
    Listing("Espresso tamper, olive wood", "Kitchen", "12.00", "58 mm, hand-turned, oiled.", "EUR", seller=1),
    Listing("Penny farthing print, framed", "Books & Prints", "18.00", "Lithograph, 30 by 40 cm.", "GBP", seller=2),
    Listing("Kokeshi doll, signed", "Collectibles", "2500", "Naruko style, 24 cm, 1970s.", "JPY", seller=3),
    Listing("Mechanical keyboard, 60%", "Computers", "45.00", "Hot-swap, lubed switches, PBT caps.", reserve="65.00"),
)

PRODUCTS: Final = (
    Listing(
        "Rangefinder camera with 50 mm lens",
        "Cameras",
        "240.00",
        "Serviced in spring: clean rangefinder, shutter within a third of a stop. Small dent on the top plate.",
        reserve="320.00",
        buy_now="900.00",
        runs=_days(3),
    ),
    Listing("Light meter, selenium", "Cameras", "15.00", "Still agrees with a modern meter.", runs=_days(2)),
    Listing(
        "35-70 mm zoom lens, f/3.5",
        "Cameras",
        "55.00",
        "No fungus, no haze; aperture blades dry. Both caps.",
        "EUR",
        seller=1,
    ),
    Listing("Slide projector with two trays", "Cameras", "30.00", "Runs cool and quiet. Spare lamp.", shipping="18.00"),
    Listing(
        "Instant camera, 1978",
        "Cameras",
        "4800",
        "Tested with fresh film; strap and manual in Japanese.",
        "JPY",
        seller=3,
        runs=_days(4),
    ),
    Listing(
        "Turntable, belt drive",
        "Audio",
        "120.00",
        "New belt, new stylus, dust cover without cracks. Packed in its original carton.",
        reserve="150.00",
        shipping="25.00",
        runs=_days(5),
    ),
    Listing("Valve amplifier kit, built", "Audio", "310.00", "Matched EL34s, quiet.", "EUR", seller=1, increment="20"),
    Listing("Studio headphones, 250 Ω", "Audio", "65.00", "New pads, straight cable.", buy_now="140.00"),
    Listing("Cassette deck, three heads", "Audio", "90.00", "Calibrated, new belts.", "GBP", seller=2, runs=_days(1)),
    Listing("Shortwave receiver", "Audio", "40.00", "All bands, telescopic antenna straight.", runs=_days(6)),
    Listing(
        "Home computer, 8-bit, boxed",
        "Computers",
        "85.00",
        "With power supply, joystick and eleven games on cassette. The space bar sticks a little.",
        "GBP",
        seller=2,
        reserve="150.00",
    ),
    Listing("Laptop, 14 inch, 32 GB", "Computers", "420.00", "Battery at 91%.", buy_now="760.00", runs=_days(2)),
    Listing("Graphics tablet, A4", "Computers", "50.00", "Pen with eight nibs.", "EUR", seller=1),
    Listing("Pocket calculator, LED", "Computers", "22.00", "Red display, metal keys, 1975.", runs=_days(8)),
    Listing("Trackball, wireless", "Computers", "3200", "Ball and bearings cleaned.", "JPY", seller=3),
    Listing(
        "Lounge chair, teak and wool",
        "Furniture",
        "380.00",
        "Danish, about 1962. New webbing, original cushions; one armrest was re-oiled. Collection or pallet.",
        "EUR",
        seller=1,
        reserve="650.00",
        shipping="95.00",
        runs=_days(9),
    ),
    Listing("Writing desk, oak", "Furniture", "140.00", "Three drawers, brass pulls.", "GBP", seller=2),
    Listing("Set of four stacking chairs", "Furniture", "75.00", "Beech ply, chrome legs.", increment="5.00"),
    Listing("Paper lantern, 60 cm", "Furniture", "5500", "Washi and bamboo, wired.", "JPY", seller=3, runs=_days(3)),
    Listing("Wall shelf, ladder style", "Furniture", "60.00", "Five shelves.", starts_in=_days(1), shipping="30.00"),
    Listing("Copper saucepans, five", "Kitchen", "110.00", "Re-tinned, 12 to 20 cm.", "EUR", seller=1, runs=_days(4)),
    Listing(
        "Chef's knife, carbon steel, 21 cm",
        "Kitchen",
        "9000",
        "White paper steel, magnolia handle; sharpened on stones and ready to work.",
        "JPY",
        seller=3,
        buy_now="24000",
    ),
    Listing("Lever espresso machine", "Kitchen", "260.00", "New gaskets, descaled.", reserve="340.00", runs=_days(2)),
    Listing("Stoneware bowls, six", "Kitchen", "28.00", "Ash glaze.", "GBP", seller=2, starts_in=timedelta(hours=6)),
    Listing("Dallah coffee pot, brass", "Kitchen", "14.500", "Hand-chased, Kuwait, 1960s.", "KWD", seller=1),
    Listing(
        "Diver's watch, automatic, 1972",
        "Watches",
        "650.00",
        "Unpolished case, all original but the crystal. Runs eight seconds fast a day. Papers of its last service.",
        reserve="1100.00",
        runs=_days(6),
    ),
    Listing("Pocket watch, silver", "Watches", "130.00", "Chester, 1898. Keeps time.", "GBP", seller=2, runs=_days(5)),
    Listing("Field watch, hand-wound", "Watches", "95.00", "New strap.", increment="2.50", buy_now="210.00"),
    Listing("Chronograph, gold-plated", "Watches", "48.000", "Column wheel, serviced.", "KWD", seller=3),
    Listing("Digital watch, 1983", "Watches", "18.00", "All segments, new battery.", starts_in=_days(2)),
    Listing("Silver dollar, 1921", "Coins", "32.00", "Extremely fine, never cleaned.", runs=_days(3)),
    Listing("Sovereign, 1911, gold", "Coins", "390.00", "London mint.", "GBP", seller=2, increment="10.00"),
    Listing("Fils and dinar set, 1961", "Coins", "9.750", "First issue, six coins in a case.", "KWD", seller=1),
    Listing("Mixed world coins, 1 kg", "Coins", "10.00", "Unsorted, from an attic.", runs=_days(1)),
    Listing(
        "Atlas of the world, 1889",
        "Books & Prints",
        "150.00",
        "Half leather, 64 of 64 maps, some foxing. A few notes in pencil by a former owner.",
        "EUR",
        seller=1,
        reserve="220.00",
        starts_in=timedelta(hours=12),
    ),
    Listing("Woodblock print, river", "Books & Prints", "12000", "Later impression.", "JPY", seller=3, runs=_days(10)),
    Listing(
        "Science fiction paperbacks, 40", "Books & Prints", "20.00", "1955 to 1980, read with care.", shipping="8.00"
    ),
    Listing(
        "Archtop guitar, 1957",
        "Instruments",
        "880.00",
        "Sunburst, one repaired crack, refretted. It sings. With a hard case.",
        reserve="1500.00",
        buy_now="3200.00",
        runs=_days(7),
    ),
    Listing("Concertina, 30 keys", "Instruments", "170.00", "New pads.", "GBP", seller=2, runs=_days(4)),
    Listing("Analogue synthesiser, 37 keys", "Instruments", "340.00", "Two oscillators.", "EUR", seller=1),
    Listing("Practice trumpet", "Instruments", "70.00", "Valves free, two mouthpieces.", starts_in=_days(3)),
    Listing("Touring bicycle, steel, 56 cm", "Bicycles", "230.00", "Lugged frame, dynamo, racks.", runs=_days(5)),
    Listing("Track wheels, 700c, pair", "Bicycles", "85.00", "True, high flanges.", "EUR", seller=1, buy_now="160.00"),
    Listing("Leather saddle, copper rivets", "Bicycles", "40.00", "Broken in.", "GBP", seller=2, runs=_days(2)),
)
