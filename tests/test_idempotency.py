import threading
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from auctioncraft.core import idempotency
from auctioncraft.core.errors import IdempotencyKeyReused, Invalid, Unavailable
from auctioncraft.models import IdempotencyKey
from auctions.models import Category
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]


def run(work, key="one", asked="a", user_id=1):
    return idempotency.run_idempotent(idempotency.identify(asked, user_id=user_id, key=key), work)


def test_same_key_and_request_repeats_the_answer():
    answers = iter([{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}])
    assert [run(lambda: next(answers)) for _ in range(3)] == [{"n": 1}] * 3
    assert run(lambda: next(answers), key="two") == {"n": 2}
    assert run(lambda: next(answers), user_id=2) == {"n": 3}
    assert run(lambda: next(answers), key=None) == {"n": 4}


def test_same_key_with_other_request_answers_422():
    run(dict)
    with pytest.raises(IdempotencyKeyReused):
        run(dict, asked="b")


def test_refusal_leaves_the_key_free():
    def refuse():
        factories.category("Undone")
        raise Invalid(name="No.")

    with pytest.raises(Invalid):
        run(refuse)
    assert (IdempotencyKey.objects.count(), Category.objects.count()) == (0, 0)
    assert run(lambda: {"n": 1}) == {"n": 1}


def test_integrity_error_of_the_work_is_raised():
    def fail():
        raise IntegrityError

    with pytest.raises(IntegrityError):
        run(fail)


def fingerprint(operation, **parameters):
    return idempotency.identify(operation, user_id=1, key="one", **parameters).fingerprint


def test_same_key_with_same_amount_written_differently_repeats_the_answer():
    same = {fingerprint("bid", amount=Decimal(text)) for text in ("9", "9.0", "9.000", "0.9e1")}
    assert len(same) == 1
    other = {fingerprint("bid", amount=Decimal(text)) for text in ("90", "0.9", "9.01")}
    assert len(same | other) == 4
    assert fingerprint("bid", a=1, b=2) == fingerprint("bid", b=2, a=1)
    assert fingerprint("bid", amount=None) != fingerprint("bid")
    assert fingerprint("bid") != fingerprint("product")


@pytest.mark.django_db(transaction=True)
def test_same_key_twice_at_once_has_one_effect():
    start, answers = threading.Barrier(6), []

    def work():
        return {"category": Category.objects.create(name="One", slug=f"one-{threading.get_ident()}").slug}

    def send():
        start.wait(10)
        answers.append(run(work)["category"])
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [Category.objects.get().slug] * 6


def run_reserved(work, asked="a"):
    return idempotency.run_reserved(idempotency.identify(asked, user_id=1, key="one"), work)


def raise_error(error):
    raise error


def test_reserved_key_is_refused_to_another_request_while_the_first_runs():
    with pytest.raises(IdempotencyKeyReused):
        run_reserved(lambda: run_reserved(dict, asked="b"))


def test_reserved_key_with_same_request_runs_again_and_stores_no_result():
    assert [run_reserved(lambda: {"secret": 1}) for _ in range(2)] == [{"secret": 1}] * 2
    assert "secret" not in str(IdempotencyKey.objects.get().response)
    with pytest.raises(IdempotencyKeyReused):
        run(dict, asked="b")


def test_reserved_key_of_a_stored_response_is_refused():
    run(dict)
    with pytest.raises(IdempotencyKeyReused):
        run_reserved(dict, asked="b")


def test_reserved_key_after_refusal_is_free():
    with pytest.raises(Invalid):
        run_reserved(lambda: raise_error(Invalid(name="No.")))
    assert run_reserved(lambda: 1, asked="b") == 1


def test_reserved_key_after_unknown_outcome_is_refused_to_another_request():
    with pytest.raises(Unavailable):
        run_reserved(lambda: raise_error(Unavailable()))
    with pytest.raises(IdempotencyKeyReused):
        run_reserved(dict, asked="b")
    assert run_reserved(lambda: 1) == 1


def test_reserved_key_of_refused_request_that_was_sent_again_meanwhile_is_kept():
    def refuse():
        run_reserved(dict)
        raise Invalid(name="No.")

    with pytest.raises(Invalid):
        run_reserved(refuse)
    with pytest.raises(IdempotencyKeyReused):
        run_reserved(dict, asked="b")


def test_reserved_key_in_a_transaction_is_refused(transactional_db):
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        run_reserved(dict)
