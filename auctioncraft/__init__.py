"""The shared kernel of AuctionCraft: settings, money, errors, the clock and the API's conventions. Imports no app."""
