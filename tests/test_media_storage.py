"""The environment chooses where images are stored."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage.handler import StorageHandler

from tests.fresh_settings import load_settings


@pytest.fixture
def storage(monkeypatch, tmp_path):
    """Return a function that makes the storage which an environment chooses."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    def make(**environment):
        chosen = load_settings({"READ_DOT_ENV": "off", "DEBUG": "on", "VAR_DIR": str(tmp_path), **environment})
        return StorageHandler(chosen.STORAGES)["default"]

    return make


def test_media_storage_by_default_is_files(storage):
    chosen = storage()
    assert (type(chosen).__name__, chosen.url("products/a.jpg")) == ("FileSystemStorage", "/media/products/a.jpg")


def test_media_storage_s3_uses_bucket_with_unsigned_urls(storage):
    bucket = {"MEDIA_STORAGE": "s3", "MEDIA_BUCKET": "images", "MEDIA_REGION": "eu-central-1"}
    plain = storage(**bucket, MEDIA_ENDPOINT_URL="https://s3.example.com")
    assert type(plain).__name__ == "S3Storage"
    assert plain.url("products/a.jpg") == "https://s3.example.com/images/products/a.jpg"
    named = storage(**bucket, MEDIA_DOMAIN="cdn.example.com")
    assert type(named).__name__ == "S3Storage"
    assert named.url("products/a.jpg") == "https://cdn.example.com/products/a.jpg"


@pytest.mark.parametrize("environment", [{"MEDIA_STORAGE": "s3"}, {"MEDIA_STORAGE": "ftp"}, {"MEDIA_STORAGE": ""}])
def test_media_storage_unknown_does_not_start(storage, environment):
    with pytest.raises(ImproperlyConfigured, match=r"MEDIA_STORAGE is `files`, or `s3` with MEDIA_BUCKET set\."):
        storage(**environment)
