"""Images to upload, and what is stored of them."""

import io

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image


def url(product, image=""):
    return f"/api/products/{product.pk}/images/{image}"


def make_image(kind="PNG", size=(800, 600), mode="RGB", color="red", **options):
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, kind, **options)
    return buffer.getvalue()


def upload_form(data, name="image.png", content_type="image/png"):
    return {"image": SimpleUploadedFile(name, data, content_type)}


def stored_names():
    return sorted(default_storage.listdir("products")[1]) if default_storage.exists("products") else []


def open_stored(name):
    with default_storage.open(name) as file:
        image = Image.open(io.BytesIO(file.read()))
        image.load()
        return image
