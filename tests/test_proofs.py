"""docs/proofs.md names a test for every promise, docs/security.md what shows each of its rows."""

from __future__ import annotations

import ast
import re

import pytest
from django.conf import settings

DOCS = settings.BASE_DIR / "docs"
ROW = re.compile(r"^\| ([A-Z]?\d+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
RUNS = re.compile(r"push|nightly|push; `([\w/]+\.py)` nightly")
# Promises that no test shows yet.
NOT_YET: set[str] = set()
PROOFS = dict(ROW.findall((DOCS / "proofs.md").read_text()))


def read_tests(path):
    """Return the names of the tests in a file, each with whether all of it runs at night only."""
    tree = ast.parse((settings.BASE_DIR / path).read_text())
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    of_file = any("pytestmark" in ast.unparse(node) and "mark.nightly" in ast.unparse(node) for node in assigned)
    return {
        node.name: of_file or "pytest.mark.nightly" in map(ast.unparse, node.decorator_list)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_proofs_have_a_row_for_every_promise():
    promises = [
        number for page in ("invariants.md", "abuse.md") for number, _ in ROW.findall((DOCS / page).read_text())
    ]
    assert sorted(PROOFS) == sorted(promises)


def test_proofs_that_are_missing_are_the_known_ones():
    assert {promise for promise, proof in PROOFS.items() if proof == "not yet |"} == NOT_YET


@pytest.mark.parametrize("promise", sorted(set(PROOFS) - NOT_YET))
def test_proofs_of_a_promise_name_tests_that_run_as_stated(promise):
    named, _, runs = PROOFS[promise].rpartition(" | ")
    stated = RUNS.fullmatch(runs)
    assert stated
    proofs = TEST.findall(named)
    assert proofs
    assert not stated[1] or stated[1] in {path for path, _ in proofs}
    for path, name in proofs:
        tests = read_tests(path)
        assert not name or name in tests, f"{path} has no {name}"
        nightly = runs == "nightly" or path == stated[1]
        assert (tests[name] if name else bool(tests) and all(tests.values())) == nightly, path


THREAT = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ?([^|]*)\|$", re.MULTILINE)
REFERENCE = re.compile(r"\b([A-Z]?\d+)(?:-([A-Z]?\d+))?\b")


def test_security_names_what_shows_each_row():
    rows = [row for row in THREAT.findall((DOCS / "security.md").read_text()) if row[0] not in {"threat", "---"}]
    assert len(rows) > 20
    for threat, _, shown_by, _ in rows:
        tests = TEST.findall(shown_by)
        proofs = [end for ends in REFERENCE.findall(TEST.sub("", shown_by)) for end in ends if end]
        assert tests or proofs, threat
        assert set(proofs) <= set(PROOFS), threat
        for path, name in tests:
            assert not name or name in read_tests(path), f"{path} has no {name}"
            assert read_tests(path), path
