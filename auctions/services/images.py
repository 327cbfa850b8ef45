"""Images of products: add, remove, copy to a relisted product.

Files are written before the rows that refer to them, and deleted after the last such row: a row always has its files.
A process that is killed in between leaves a file without a row.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Max, Q

from accounts.services.quotas import quota
from auctioncraft.core import clock, idempotency
from auctioncraft.core.errors import Invalid, NotFound, Unavailable
from auctions import image_processing
from auctions.errors import AuctionHasBids, ImageQuotaReached, TooManyImages
from auctions.models import Auction, AuctionEvent, Product, ProductImage
from auctions.services import event_log
from auctions.services.closing import check_changeable, has_ever_had_bids
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from typing import IO

    from accounts.models import User

logger = logging.getLogger(__name__)

QUOTA_PERIOD: Final = timedelta(days=30)
# One image is decoded at a time in a process, so that the other thread answers reads; one that waits would block it.
_decoding = threading.Semaphore()
DECODING_WAIT: Final = 0.1  # seconds


@dataclass(slots=True)
class ImageFiles:
    """The names of an image's two files in the storage. `referenced`: a row refers to them, or may."""

    image: str
    thumbnail: str
    width: int
    height: int
    referenced: bool = False


def add_image(*, product_id: int, actor: User, file: IO[bytes], idempotency_key: str | None = None) -> dict[str, Any]:
    """Add an image to a product as its last one, as its seller or staff, until the auction has ended.

    Return its columns. It is encoded and stored outside any transaction. Whether it may be added is checked before, to
    save the work, and again under the auction's lock. Raises NotFound, PermissionDenied, AuctionAlreadyClosed,
    TooManyImages, ImageQuotaReached, Invalid, Unavailable, IdempotencyKeyReused.
    """
    data = file.read()
    request = idempotency.identify(
        "image", user_id=actor.pk, key=idempotency_key, product=product_id, sha256=hashlib.sha256(data).hexdigest()
    )
    if stored := idempotency.stored_response(request):
        return stored
    auction = Auction.objects.select_related("product__seller").filter(pk=product_id).first()
    if auction is None:
        raise NotFound
    check_changeable(auction, actor, clock.now())
    _check_room(product_id)
    _check_quota(auction.product.seller)

    def work() -> dict[str, Any]:
        image = _add(product_id, actor, files)
        names = {"image": image.image.name, "thumbnail": image.thumbnail.name}
        place = {"product_id": product_id, "position": image.position}
        return {"id": image.pk, **place, **names, "width": image.width, "height": image.height}

    with stored_image(data) as files:
        answer = idempotency.run_idempotent(request, work)
        # Of two requests with one key, the other one's image may be the one that was kept.
        files.referenced = answer["image"] == files.image
    return answer


def _add(product_id: int, actor: User, files: ImageFiles) -> ProductImage:
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        check_changeable(auction, actor, now)
        _check_room(product_id)
        image = attach_image(product=auction.product, files=files, at=now)
        event_log.record(auction, AuctionEvent.Kind.EDITED, now, {"fields": ["images"]}, editor=actor.pk)
    return image


def remove_image(*, product_id: int, image_id: int, actor: User) -> None:
    """Delete an image, as the seller or staff, before the first bid. The next one becomes the thumbnail.

    Raises NotFound, PermissionDenied, AuctionAlreadyClosed, AuctionHasBids.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        check_changeable(auction, actor, now)
        image = ProductImage.objects.filter(product_id=product_id, pk=image_id).first()
        if image is None:
            raise NotFound
        if has_ever_had_bids(product_id):
            raise AuctionHasBids
        image.delete()
        _update_thumbnail(product_id)
        _delete_files_on_commit(auction.product.seller_id, [str(image.image.name), str(image.thumbnail.name)])
        event_log.record(auction, AuctionEvent.Kind.EDITED, now, {"fields": ["images"]}, editor=actor.pk)


@contextmanager
def stored_image(data: bytes) -> Iterator[ImageFiles]:
    """Encode an image and write its files. If no row refers to them at the end of the block, delete them again.

    Raises Invalid for an image that is not accepted, Unavailable if the storage fails.
    """
    files = _write(_encode(data))
    try:
        yield files
    except Exception as error:
        # A COMMIT may have succeeded unseen, and a row without its files is worse than files without a row.
        if not (files.referenced and isinstance(error, OperationalError | InterfaceError)):
            _delete_files((files.image, files.thumbnail))
        raise
    if not files.referenced:
        _delete_files((files.image, files.thumbnail))


def attach_image(*, product: Product, files: ImageFiles, at: datetime) -> ProductImage:
    """Add an image to a product, without an event. The caller is in a transaction and has locked the auction."""
    last = ProductImage.objects.filter(product=product).aggregate(last=Max("position"))["last"]
    image = ProductImage.objects.create(
        product=product,
        position=0 if last is None else last + 1,
        image=files.image,
        thumbnail=files.thumbnail,
        width=files.width,
        height=files.height,
        created_at=at,
    )
    files.referenced = True
    _update_thumbnail(product.pk)
    return image


def copy_images(*, source: Product, target: Product) -> None:
    """Copy the images of `source` to `target`, a product of the same seller: rows that refer to the same files.

    The caller is in a transaction and has locked the auction of `source`.
    """
    images = list(ProductImage.objects.filter(product=source).order_by("position"))
    for image in images:
        image.pk, image.product = None, target
    ProductImage.objects.bulk_create(images)
    _update_thumbnail(target.pk)


def delete_product_files(*, product: Product) -> None:
    """Delete the files of a product after the commit, except those that another product uses.

    The caller is in a transaction, has locked the auction, and deletes the product.
    """
    rows = ProductImage.objects.filter(product=product).values_list("image", "thumbnail")
    _delete_files_on_commit(product.seller_id, {name for row in rows for name in row} | {product.thumbnail.name or ""})


def _check_room(product_id: int) -> None:
    limit = settings.LIMITS["images_per_product"]
    if limit and ProductImage.objects.filter(product_id=product_id).count() >= limit:
        raise TooManyImages(limit)


def _check_quota(seller: User) -> None:
    """Check how much a seller uploads. Without a lock: uploads at the same time may pass the limit by their number."""
    limit = quota(seller, "uploads")
    recent = ProductImage.objects.filter(product__seller=seller, created_at__gt=clock.now() - QUOTA_PERIOD)
    if limit and recent.count() >= limit:
        raise ImageQuotaReached(limit)


def _update_thumbnail(product_id: int) -> None:
    first = ProductImage.objects.filter(product_id=product_id).order_by("position").values_list("thumbnail", flat=True)
    Product.objects.filter(pk=product_id).update(thumbnail=first.first() or "")


def _encode(data: bytes) -> image_processing.EncodedImage:
    if not _decoding.acquire(timeout=DECODING_WAIT):
        raise Unavailable
    try:
        return image_processing.encode(data)
    except image_processing.InvalidImage as error:
        raise Invalid(image=str(error)) from error
    finally:
        _decoding.release()


def _write(encoded: image_processing.EncodedImage) -> ImageFiles:
    """Write both files under random names, which are never used again."""
    written: list[str] = []
    name = f"products/{uuid4().hex}"
    try:
        for suffix, content in (("", encoded.full), ("-small", encoded.thumbnail)):
            written.append(default_storage.save(f"{name}{suffix}.{image_processing.EXTENSION}", ContentFile(content)))
    except Exception as error:  # each storage raises its own
        logger.exception("could not store an image")
        _delete_files(written)
        raise Unavailable from error
    return ImageFiles(written[0], written[1], encoded.width, encoded.height)


def _delete_files_on_commit(seller_id: int, names: Iterable[str]) -> None:
    # Robust: the transaction is committed, so an error of the storage must not reach the caller.
    transaction.on_commit(partial(_delete_unreferenced, seller_id, {name for name in names if name}), robust=True)


def _delete_unreferenced(seller_id: int, names: set[str]) -> None:
    """Delete files that no product refers to. Only relisted products share files, so only the seller's are checked."""
    rows = ProductImage.objects.filter(product__seller=seller_id).filter(Q(image__in=names) | Q(thumbnail__in=names))
    named = {name for row in rows.values_list("image", "thumbnail") for name in row}
    named |= set(Product.objects.filter(seller=seller_id, thumbnail__in=names).values_list("thumbnail", flat=True))
    _delete_files(names - named)


def _delete_files(names: Iterable[str]) -> None:
    for name in names:
        try:
            default_storage.delete(name)
        except Exception:  # as above; a file too many does no harm
            logger.exception("could not delete the image %s", name)
