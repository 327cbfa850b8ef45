"""`.env.example` is the list of all settings, with their defaults."""

import json
import os
import re
import subprocess
import sys

from django.conf import settings

EXAMPLE = (settings.BASE_DIR / ".env.example").read_text()
PRINT = (
    "import json; from auctioncraft import settings; "
    "print(json.dumps({name: str(value) for name, value in vars(settings).items() if name.isupper()}))"
)


def load(folder, text):
    """Return the settings that a `.env` of this text gives."""
    path = folder / ".env"
    path.write_text(text)
    code = f"import environ; environ.Env.read_env({str(path)!r}); {PRINT}"
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env=environment | {"READ_DOT_ENV": "off", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(printed.stdout)


def test_env_example_has_every_setting():
    code = "".join(path.read_text() for path in (settings.BASE_DIR / "auctioncraft/settings").glob("*.py"))
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', code))
    listed = re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)
    assert len(listed) == len(set(listed))
    # Named in the head of the page, and beside SECRET_KEY.
    assert set(listed) == read - {"READ_DOT_ENV", "DJANGO_SECRET_KEY"}


def test_env_example_lines_that_are_commented_out_show_the_default(tmp_path):
    """Also that no line has a comment behind its value: it would be part of the value."""
    uncommented = re.sub(r"^#(?=[A-Z_]+=)", "", EXAMPLE, flags=re.MULTILINE)
    assert uncommented.count("\n#") < EXAMPLE.count("\n#")
    assert load(tmp_path, uncommented) == load(tmp_path, EXAMPLE)
