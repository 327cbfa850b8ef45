"""Settings, all from the environment or `.env` (`.env.example` lists and explains them).

Development is what `.env.example` says; without it every default is production's, and production refuses to start on a
default secret.
"""

# ruff: noqa: F403 (Django reads one module)
from auctioncraft.settings.api import *
from auctioncraft.settings.base import *
from auctioncraft.settings.environment import *
from auctioncraft.settings.limits import *
from auctioncraft.settings.marketplace import *
from auctioncraft.settings.production import *
from auctioncraft.settings.services import *
