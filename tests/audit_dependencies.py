"""Check installed packages for known vulnerabilities with pip-audit: `python -m tests.audit_dependencies`.

pip-audit skips packages that its source does not know, and succeeds even if the source knows none (a package index
without advisories). So each source is first asked about a release that is known to be vulnerable; a source that does
not report it is not used. Without a usable source the check is skipped with a warning.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SOURCES = ("pypi", "osv")  # as pip-audit names them
VULNERABLE_RELEASE = "django==3.2.0"
TIMEOUT = 600  # seconds


def main() -> int:
    """Return 1 if an installed package has a known vulnerability or the audit fails, else 0."""
    for source in SOURCES:
        problem = _source_problem(source)
        if not problem:
            return _judge(source)
        print(f"advisories: {source} is no source here: {problem}")
    print(
        "\n*** SKIPPED: NO AUDIT OF DEPENDENCIES. No source of advisories can be reached from this place, so nothing is"
        "\n*** known about the vulnerabilities of what is installed. Run `make check` where one can be.\n"
    )
    return 0


def audit(source: str, *what: str) -> tuple[dict[str, Any], str]:
    """Return the report of pip-audit, and an error message if there is none."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", source, "--format", "json"]
    command += ["--progress-spinner", "off", "--desc", "off", *what]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
        report: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {}, f"no answer within {TIMEOUT} s"
    except ValueError:
        # The last line is the exception. Its text may name hosts: leave that out.
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {}, last.partition(":")[0][:100]
    return report, ""


def findings(report: dict[str, Any]) -> list[str]:
    """Return one line per vulnerability."""
    return [
        f"{package['name']} {package['version']}: {', '.join([found['id'], *found.get('aliases', [])])}, fixed in "
        f"{', '.join(found['fix_versions']) or 'no release'}"
        for package in report.get("dependencies", [])
        for found in package.get("vulns", [])
    ]


def unknown_packages(report: dict[str, Any]) -> list[str]:
    """Return the packages that the source does not know."""
    return [package["name"] for package in report.get("dependencies", []) if "skip_reason" in package]


def _source_problem(source: str) -> str:
    """Return why a source is unusable, or an empty string."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text(f"{VULNERABLE_RELEASE}\n")
        report, problem = audit(source, "--requirement", str(file), "--no-deps", "--disable-pip")
    return problem or ("" if findings(report) else f"it knows nothing against {VULNERABLE_RELEASE}")


def _judge(source: str) -> int:
    report, problem = audit(source, "--local", "--skip-editable")
    if problem:
        print(f"advisories: {source} answered for {VULNERABLE_RELEASE} and failed for what is installed: {problem}")
        return 1
    if missing := unknown_packages(report):
        print(f"advisories: {source} knows nothing of {', '.join(missing)}")
    if found := findings(report):
        print(f"*** {len(found)} known vulnerabilities in what is installed:", *found, sep="\n  ")
        return 1
    print(f"advisories: nothing known by {source} against the {len(report['dependencies'])} packages installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
