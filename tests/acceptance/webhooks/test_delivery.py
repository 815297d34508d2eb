"""Delivery by the real daemon to receivers as they are: slow, broken, away. Nothing is lost, nothing out of order."""

from __future__ import annotations

import threading

import psycopg
import pytest

from catalog.daemon.webhooks import POLL_SECONDS
from tests.acceptance.cli.conftest import Desk
from tests.acceptance.daemon_process import DaemonProcess, one, query, until
from tests.acceptance.webhooks.conftest import SECRET, Plant
from tests.support.receiver import Behaviour, Receiver, babble, close, drip, endless, hang, status
from tests.support.records import image, name_of

BAD = {
    "500": status(500),
    "404": status(404),
    "hang": hang,
    "drip": drip,
    "endless": endless,
    "close": close,
    "babble": babble,
}


def state(plant: Plant, name: str = "alerts") -> tuple[object, ...]:
    columns = "failures, answer, holder IS NULL, next_attempt_at IS NULL"
    return tuple(query(plant.database_url, f"SELECT {columns} FROM webhooks WHERE name = '{name}'")[0])


def test_what_a_daemon_sweeps_arrives_signed_and_in_order(plant: Plant, receiver: Receiver) -> None:
    """One request per run; what was written before the webhook was met is not sent."""
    plant.webhook(receiver)
    daemon = plant.started()
    before = plant.newest()
    plant.cloud.add(image(20))
    plant.cloud.delete(name_of(1))
    plant.change()
    plant.change(2)
    plant.wait_for_all(receiver)
    plant.check(receiver)
    assert before == 1
    assert state(plant) == (0, "HTTP 204", True, True)
    until(lambda: daemon.metrics()['catalog_webhook_backlog{webhook="alerts"}'] == 0, "an empty backlog")
    assert daemon.metrics()['catalog_webhook_failures_total{webhook="alerts"}'] == 0
    assert daemon.stop() == 0
    earlier = plant.ids()
    with Receiver() as late:
        plant.webhook(late, "late")
        daemon = plant.started()
        until(lambda: daemon.logged("webhook is new", webhook="late"), "the new webhook")
        plant.change()
        plant.wait_for_all(receiver)
        until(lambda: late.events(), "what came since")
        told = [event["id"] for event in late.events()]
        # the stop may have ended a sweep, which the next one tells of, too
        assert (set(told) & set(earlier), told) == (set(), plant.ids()[-len(told) :])


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_receiver_that_misbehaves_and_comes_to_its_senses(
    plant: Plant, receiver: Receiver, bad: Behaviour
) -> None:
    """Sweeps go on meanwhile. It gets all that came, each event once, as nothing was accepted before."""
    plant.webhook(receiver)
    daemon = plant.started()
    plant.wait_for_all(receiver)
    receiver.misbehave = bad
    plant.change()
    daemon.wait_for("webhook failed", 2, webhook="alerts")
    runs = one(plant.database_url, "SELECT count(*) FROM runs")
    plant.change(1)
    plant.change(2)
    assert one(plant.database_url, "SELECT count(*) FROM runs") > runs
    assert daemon.metrics()['catalog_webhook_failures_total{webhook="alerts"}'] >= 2
    assert daemon.metrics()['catalog_webhook_backlog{webhook="alerts"}'] >= 3
    receiver.misbehave = None
    plant.wait_for_all(receiver)
    plant.check(receiver)
    accepted = [event["id"] for event in receiver.events()]
    assert len(accepted) == len(set(accepted))
    assert daemon.resident() < 300 * 2**20


def test_an_event_that_is_refused_is_named_and_keeps_back_no_earlier_one(
    plant: Plant, receiver: Receiver
) -> None:
    """Retried for as long as events are kept: the receiver is mended, or the event is pruned."""
    plant.webhook(receiver)
    daemon = plant.started()
    plant.wait_for_all(receiver)
    receiver.refuses = {name_of(3)}
    before = plant.newest()
    for number in range(1, 6):
        plant.cloud.change(name_of(number), name="of one sweep")
    plant.change()
    daemon.wait_for("webhook failed", webhook="alerts")
    rows = query(
        plant.database_url,
        f"SELECT source_id || '.' || number, subject FROM events WHERE number > {before} ORDER BY number",
    )
    subjects = [subject for _, subject in rows]
    refused = rows[subjects.index(name_of(3))][0]
    earlier = [event for event, _ in rows[: subjects.index(name_of(3))]]
    accepted = [event["id"] for event in receiver.events()]
    assert accepted[len(accepted) - len(earlier) :] == earlier
    assert refused not in accepted
    assert state(plant)[1] == f"HTTP 422 to event {refused}"
    desk = Desk(plant.folder, plant.database_url, plant.stack)
    (row,) = desk.run("webhooks", "--format", "json").rows
    assert (row["state"], row["answer"]) == ("failing", f"HTTP 422 to event {refused}")
    assert row["backlog"] >= len(rows) - len(earlier)
    receiver.refuses = set()
    plant.wait_for_all(receiver)
    plant.check(receiver)


def test_events_that_are_no_longer_kept_end_the_waiting(plant: Plant, receiver: Receiver) -> None:
    plant.webhook(receiver)
    daemon = plant.started()
    plant.wait_for_all(receiver)
    receiver.refuses = {name_of(3)}
    plant.change(3)
    daemon.wait_for("webhook failed", webhook="alerts")
    with psycopg.connect(plant.database_url) as connection:
        connection.execute("UPDATE events SET time = now() - interval '31 days'")
    plant.change(1)
    plant.change(2)
    daemon.wait_for("events are gone that this webhook was not told of", webhook="alerts", events=1)
    until(lambda: plant.ids()[-1] in {event["id"] for event in receiver.events()}, "what came since")
    until(lambda: state(plant) == (0, "HTTP 204", True, True), "a webhook that is well")


def test_a_receiver_that_asks_for_time_is_given_it(plant: Plant, receiver: Receiver) -> None:
    plant.webhook(receiver)
    daemon = plant.started()
    receiver.misbehave = status(429, Retry_After="30")
    plant.change()
    assert 30 <= daemon.wait_for("webhook failed", webhook="alerts")["retry_seconds"] <= 33


def test_a_redirect_is_not_followed(plant: Plant, receiver: Receiver) -> None:
    with Receiver() as elsewhere:
        plant.webhook(receiver)
        daemon = plant.started()
        for code in (301, 302, 307, 308):
            receiver.misbehave = status(code, Location=elsewhere.url)
            plant.change()
            with psycopg.connect(plant.database_url) as connection:
                connection.execute("UPDATE webhooks SET next_attempt_at = NULL")
            until(lambda code=code: str(code) in str(state(plant)[1]), f"an answer {code}")  # type: ignore[misc]
        assert "redirect" in daemon.wait_for("webhook failed", webhook="alerts")["reason"]
        receiver.misbehave = None
        plant.wait_for_all(receiver)
        plant.check(receiver)
        assert elsewhere.requests == []


def test_a_receiver_that_took_it_and_did_not_say_so_gets_the_same_message_again(
    plant: Plant, receiver: Receiver
) -> None:
    plant.webhook(receiver)
    plant.started()
    plant.wait_for_all(receiver)
    receiver.misbehave = close
    plant.change()
    until(lambda: len(receiver.requests) >= 4, "three attempts")
    receiver.misbehave = None
    plant.wait_for_all(receiver)
    plant.check(receiver)
    messages = [request for request in receiver.requests if request.events[0]["id"] == plant.ids()[-1]]
    assert len({request.headers["webhook-id"] for request in messages}) == 1
    assert len({request.headers["webhook-timestamp"] for request in messages}) > 1


def test_a_receiver_that_is_away_costs_no_sweep_and_misses_nothing(plant: Plant) -> None:
    """Away longer than the back-off's first steps; `catalog webhooks retry` ends the waiting."""
    receiver = Receiver()
    with receiver:
        plant.webhook(receiver)
        daemon = plant.started()
        plant.change()
        plant.wait_for_all(receiver)
    for number in range(4):
        plant.change(number)
    daemon.wait_for("webhook failed", 3, webhook="alerts")
    with psycopg.connect(plant.database_url) as connection:
        connection.execute("UPDATE webhooks SET failures = 17, next_attempt_at = now() + interval '1 day'")
    durations = query(
        plant.database_url, "SELECT max(finished_at - started_at) < interval '10 seconds' FROM runs"
    )
    assert durations == [(True,)]
    with receiver:
        plant.change()
        told = len(receiver.events())
        assert "HTTP" not in str(state(plant)[1])
        desk = Desk(plant.folder, plant.database_url, plant.stack)
        (row,) = desk.run("webhooks", "--format", "json").rows
        assert (row["state"], row["backlog"], row["failures"]) == ("failing", 5, 17)
        assert len(receiver.events()) == told
        assert desk.run("webhooks", "retry", "alerts").code == 0
        plant.wait_for_all(receiver)
        plant.check(receiver)
    assert daemon.stop() == 0


def test_many_changes_come_in_batches(plant: Plant, receiver: Receiver) -> None:
    for number in range(100, 1300):
        plant.cloud.add(image(number))
    plant.webhook(receiver)
    plant.started()
    before = plant.newest()
    with plant.cloud._lock:
        for number in range(100, 1300):
            plant.cloud.change(name_of(number), status="deactivated")
    until(lambda: plant.newest() == before + 1200, "the changes")
    plant.wait_for_all(receiver)
    plant.check(receiver)
    assert [len(request.events) for request in receiver.accepted][-3:] == [500, 500, 200]


def test_of_several_daemons_one_delivers(plant: Plant, receiver: Receiver) -> None:
    """It takes longer than the other waits until it looks again."""
    plant.webhook(receiver, deadline="10s")
    receiver.seconds = 1.5 * POLL_SECONDS
    plant.started()
    plant.daemon("other.toml").wait_for("sweep")
    for number in range(3):
        plant.change(number)
    plant.wait_for_all(receiver)
    plant.check(receiver)
    accepted = [event["id"] for event in receiver.events()]
    assert len(accepted) == len(set(accepted))


STEPS = {
    "as it is claimed": "LOCK TABLE webhooks IN EXCLUSIVE MODE",
    "as it reads what waits": "LOCK TABLE webhook_positions IN ACCESS EXCLUSIVE MODE",
    "as it is told that it was taken": "LOCK TABLE webhook_positions IN EXCLUSIVE MODE",
}


@pytest.mark.parametrize("lock", STEPS.values(), ids=STEPS.keys())
def test_killed_at_a_step_of_a_delivery_the_next_daemon_goes_on(
    plant: Plant, receiver: Receiver, lock: str
) -> None:
    plant.webhook(receiver)
    daemon = plant.started()
    plant.wait_for_all(receiver)
    with psycopg.connect(plant.database_url) as connection:
        connection.execute(lock)
        plant.change()
        until(
            lambda: query(
                plant.database_url,
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            ),
            "the delivery waits",
        )
        daemon.process.kill()
        daemon.process.wait()
    plant.daemon()
    plant.change(1)
    plant.wait_for_all(receiver)
    plant.check(receiver)


def test_killed_while_it_waits_for_an_answer_the_next_daemon_sends_the_same_message(
    plant: Plant, receiver: Receiver
) -> None:
    plant.webhook(receiver)
    daemon = plant.started()
    plant.wait_for_all(receiver)
    receiver.misbehave = hang
    number = len(receiver.requests)
    plant.change()
    until(lambda: len(receiver.requests) > number, "a request")
    daemon.process.kill()
    daemon.process.wait()
    receiver.misbehave = None
    plant.daemon()
    plant.wait_for_all(receiver)
    plant.check(receiver)
    first, second = receiver.requests[number : number + 2]
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)


def test_told_to_stop_while_a_receiver_hangs_it_ends_and_leaves_the_webhook_free(
    plant: Plant, receiver: Receiver
) -> None:
    plant.webhook(receiver, deadline="60s")
    daemon = plant.started()
    receiver.misbehave = hang
    number = len(receiver.requests)
    plant.change()
    until(lambda: len(receiver.requests) > number, "a request")
    assert daemon.stop() == 0
    assert state(plant)[2:] == (True, True)


def test_secrets_are_in_no_log_and_nowhere_else(plant: Plant, receiver: Receiver) -> None:
    """Neither the secret, nor the path of the address, which is one for chat rooms."""
    plant.webhook(receiver)
    plant.webhook(Receiver(port=9), "away")
    daemon = plant.started()
    plant.change()
    plant.wait_for_all(receiver)
    receiver.misbehave = status(500)
    plant.change()
    daemon.wait_for("webhook failed", webhook="alerts")
    daemon.wait_for("webhook failed", webhook="away")
    told = [
        str(daemon.lines),
        daemon.get("/metrics")[1],
        str(query(plant.database_url, "SELECT * FROM webhooks")),
    ]
    assert daemon.stop() == 0
    for text in [*told, str(daemon.lines)]:
        assert SECRET not in text
        assert SECRET.removeprefix("whsec_") not in text
        assert "tellnobody" not in text


def test_a_slow_receiver_delays_no_other(plant: Plant, receiver: Receiver) -> None:
    with Receiver(misbehave=hang) as slow:
        plant.webhook(slow, "slow", deadline="60s")
        plant.webhook(receiver, "quick")
        plant.started()
        plant.change()
        until(lambda: slow.requests, "the slow one was asked")
        plant.change(1)
        plant.change(2)
        plant.wait_for_all(receiver)
        assert len(slow.requests) == 1


def test_a_secret_that_is_missing_is_a_failure_that_names_it(plant: Plant, receiver: Receiver) -> None:
    plant.webhook(receiver, secret_env="NO_SUCH_SECRET")
    daemon = plant.started()
    plant.change()
    failed = daemon.wait_for("webhook failed", webhook="alerts")
    assert "NO_SUCH_SECRET" in failed["reason"]
    assert receiver.requests == []


def test_the_database_goes_away_in_the_middle_of_a_delivery(plant: Plant, receiver: Receiver) -> None:
    """Its connections are cut while the receiver answers: the daemon lives, and the message comes once more."""
    plant.webhook(receiver)
    daemon: DaemonProcess = plant.started()
    plant.wait_for_all(receiver)
    cut = threading.Event()

    def cut_and_accept(handler: object) -> None:
        with psycopg.connect(plant.database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        cut.set()
        status(204)(handler)  # type: ignore[arg-type]

    receiver.misbehave = cut_and_accept
    plant.change()
    assert cut.wait(30)
    receiver.misbehave = None
    plant.change(1)
    plant.wait_for_all(receiver, after=plant.newest() - 1)
    assert daemon.stop() == 0
