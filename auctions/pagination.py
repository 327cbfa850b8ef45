"""Pages of the event log."""

from __future__ import annotations

from auctioncraft.api.pagination import PageNumberPagination


class EventPagination(PageNumberPagination):
    """Numbered pages up to 10,000 events; from there on, `next` is the URL with `after`, so that no event is missed."""

    def get_next_link(self) -> str | None:
        """Return the URL of the next page, None if there is none."""
        if self.has_more and not self.has_next_page:
            return self.link(page=None, after=self.rows[-1]["seq"])
        return super().get_next_link()
