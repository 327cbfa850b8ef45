"""The audit of dependencies, with answers of pip-audit made up here; nothing uses the network."""

import json
import subprocess

import pytest

from tests import audit_dependencies

BAD = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3.2.1"]}


def report(*packages):
    return json.dumps({"dependencies": list(packages), "fixes": []})


def package(name, *vulns):
    return {"name": name, "version": "3.2.0", "vulns": list(vulns)}


SKIPPED = {"name": "django", "skip_reason": "Dependency not found on PyPI and could not be audited: django (3.2.0)"}
DOWN = "Traceback (most recent call last):\nrequests.exceptions.ConnectionError: host='somewhere'"


@pytest.fixture
def answers(monkeypatch):
    """Set what pip-audit answers, by source, for the vulnerable release and for the installed packages."""

    def say(**sources):
        def run(command, **_):
            source = command[command.index("--vulnerability-service") + 1]
            answer = sources.get(source, (DOWN, DOWN))["--local" in command]
            is_report = answer.startswith("{")
            return subprocess.CompletedProcess(command, 1, answer if is_report else "", "" if is_report else answer)

        monkeypatch.setattr(subprocess, "run", run)

    return say


def test_audit_with_a_source_without_advisories_skips_it(answers, capsys):
    answers(pypi=(report(SKIPPED), report(SKIPPED)), osv=(DOWN, DOWN))

    assert audit_dependencies.main() == 0

    said = capsys.readouterr().out
    assert "pypi is no source here: it knows nothing against django==3.2.0" in said
    assert "osv is no source here: requests.exceptions.ConnectionError\n" in said
    assert "SKIPPED: NO AUDIT OF DEPENDENCIES" in said


@pytest.mark.parametrize("source", ["pypi", "osv"])
def test_audit_with_a_finding_fails(answers, capsys, source):
    answers(**{source: (report(package("django", BAD)), report(package("pip"), package("pillow", BAD)))})

    assert audit_dependencies.main() == 1

    said = capsys.readouterr().out
    assert "1 known vulnerabilities in what is installed:\n  pillow 3.2.0: PYSEC-1, CVE-1, fixed in 3.2.1" in said
    assert "NO AUDIT" not in said


def test_audit_without_findings_passes_and_names_unknown_packages(answers, capsys):
    answers(pypi=(report(package("django", BAD)), report(package("pillow"), SKIPPED)))

    assert audit_dependencies.main() == 0

    said = capsys.readouterr().out
    assert "pypi knows nothing of django" in said
    assert "nothing known by pypi against the 2 packages installed" in said
    assert "SKIPPED" not in said


def test_audit_with_a_failing_source_fails(answers, capsys):
    answers(pypi=(report(package("django", BAD)), DOWN))

    assert audit_dependencies.main() == 1
    assert "failed for what is installed" in capsys.readouterr().out
