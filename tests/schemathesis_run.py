"""Schemathesis over the whole schema against a real server, as one role: every operation, then sequences of them.

Its verdict: no 5xx; every status, content type, header and body is one that the schema describes, with nothing in a
body that it does not; what was deleted is gone, what was made is there; what asks for a token is closed without one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from tests.fuzz_target import FuzzTarget

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance"),
    *("response_schema_conformance", "unsupported_method", "allow_header_conformance", "ignored_auth"),
    *("use_after_free", "ensure_resource_availability"),
)
# What it cannot judge: rules that no schema can tell (a code that is wrong, a currency, a price below another) make
# 400s of requests that fit the schema, and `page_size` and unknown fields are forgiven.


def forbid_extra_fields(schema: dict[str, Any]) -> dict[str, Any]:
    """Let the schema's answers hold nothing that it does not describe; requests stay open. Return the schema."""
    for name, shape in schema["components"]["schemas"].items():
        if "properties" in shape and not name.endswith("Request"):
            shape.setdefault("additionalProperties", False)
    return schema


def run(at: FuzzTarget, role: str, *, examples: int, seed: int, phases: str, seconds: int = 0) -> tuple[int, str]:
    """Send; return how many requests were made, and what was found: nothing, or the report.

    With `seconds` it goes on for as long.
    """
    report = at.stack.folder / f"schemathesis-{role}.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run"),
            *(f"http://127.0.0.1:{at.port}/api/schema/?format=json", "--url", f"http://127.0.0.1:{at.port}"),
            *("--checks", ",".join(CHECKS), "--max-examples", str(examples), "--seed", str(seed)),
            *("--phases", phases, *(("--max-time", str(seconds)) if seconds else ())),
            *("--continue-on-failure", "--generation-database", "none", "--warnings", "off"),
            *("--report", "json", "--report-json-path", str(report)),
        ],
        cwd=at.stack.folder,  # where it leaves what it remembers
        env=at.environment
        | {
            "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks",
            "FUZZ_AS": "" if role == "anonymous" else at.scenario.people[role].email,
            "PYTHONPATH": str(settings.BASE_DIR),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    found = done.stdout[-20_000:] + done.stderr[-5_000:] if done.returncode else ""
    sent = json.loads(report.read_text())["test_cases"]["generated"] if report.exists() else 0
    return sent, found or ("" if sent else done.stdout + done.stderr)
