"""The environment chooses where images are stored."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

ASK = (
    "import django; django.setup(); from django.core.files.storage import default_storage as storage;"
    "print(type(storage._wrapped if storage.url('a.jpg') else None).__name__, storage.url('products/a.jpg'))"
)


def ask(**environment):
    return subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_media_storage_by_default_is_files():
    assert ask().stdout.split() == ["FileSystemStorage", "/media/products/a.jpg"]


def test_media_storage_s3_uses_bucket_with_unsigned_urls():
    bucket = {"MEDIA_STORAGE": "s3", "MEDIA_BUCKET": "images", "MEDIA_REGION": "eu-central-1"}
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    plain = ask(**bucket, **keys, MEDIA_ENDPOINT_URL="https://s3.example.com")
    assert plain.stdout.split() == ["S3Storage", "https://s3.example.com/images/products/a.jpg"], plain.stderr
    named = ask(**bucket, **keys, MEDIA_DOMAIN="cdn.example.com")
    assert named.stdout.split() == ["S3Storage", "https://cdn.example.com/products/a.jpg"], named.stderr


@pytest.mark.parametrize("environment", [{"MEDIA_STORAGE": "s3"}, {"MEDIA_STORAGE": "ftp"}, {"MEDIA_STORAGE": ""}])
def test_media_storage_unknown_does_not_start(environment):
    refused = ask(**environment)
    assert refused.returncode != 0
    assert "MEDIA_STORAGE is `files`, or `s3` with MEDIA_BUCKET set." in refused.stderr
