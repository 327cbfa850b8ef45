"""Run Schemathesis over the whole schema on a real server, as one role: every operation, then sequences of them.

It checks: no 5xx; each status, content type, header and body is described by the schema, without further fields;
deleted objects are gone and created ones exist; endpoints that need a token refuse requests without one.
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
# Not checked: rules that no schema states (a wrong code, a currency, one price below another) answer 400 to
# requests that fit the schema, and unknown fields and any `page_size` are accepted.


def forbid_extra_fields(schema: dict[str, Any]) -> dict[str, Any]:
    """Forbid undescribed fields in the schema's answers, not in its requests. Return the schema."""
    for name, shape in schema["components"]["schemas"].items():
        if "properties" in shape and not name.endswith("Request"):
            shape.setdefault("additionalProperties", False)
    return schema


def run(at: FuzzTarget, role: str, *, examples: int, seed: int, phases: str, seconds: int = 0) -> tuple[int, str]:
    """Return the number of requests sent, and the report of failures or an empty string.

    Stop after `seconds`, if given.
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
        cwd=at.stack.folder,  # where it writes its files
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
