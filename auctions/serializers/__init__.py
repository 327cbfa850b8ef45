"""What auctions look like on the wire."""
