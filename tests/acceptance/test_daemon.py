"""The daemon as its users run it: the real process, real signals, a cloud that hangs, drips, fails and recovers."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import psycopg
import pytest

from catalog.demo.answers import Request
from catalog.demo.cloud import Cloud
from catalog.demo.images import example_images
from tests.acceptance.daemon_process import (
    LEASE_SECONDS,
    DaemonProcess,
    between_sweeps,
    configuration,
    one,
    query,
    until,
)
from tests.support.cloud_server import CloudServer
from tests.support.faults import drip, hang, html

IMAGES = example_images("glance", 12, seed=8)


def second_page(request: Request) -> bool:
    return "marker" in request.query


# --- schedule and health


def test_it_sweeps_again_and_again_and_tells_its_health(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    """Every promised metric has a sample once a sweep is over; SIGTERM ends it with 0."""
    with DaemonProcess(config, configuration(database_url, {"moon": cloud.endpoint})) as daemon:
        daemon.wait_for("sweep", 2, source="moon", outcome="complete")
        assert daemon.get("/healthz") == (200, "alive\n")
        assert daemon.get("/readyz") == (200, "ready\n")
        assert daemon.get("/secrets")[0] == 404
        metrics = daemon.metrics()
        assert metrics['catalog_runs_total{outcome="complete",source="moon"}'] >= 2
        assert metrics['catalog_runs_total{outcome="failed",source="moon"}'] == 0
        assert metrics['catalog_source_last_complete_timestamp_seconds{source="moon"}'] > 1.7e9
        assert metrics['catalog_source_expected_interval_seconds{source="moon"}'] == 1
        assert metrics['catalog_source_failing{error_kind="",source="moon"}'] == 0
        assert metrics['catalog_images{source="moon",state="live"}'] == len(IMAGES)
        assert metrics['catalog_images{source="moon",state="deleted"}'] == 0
        assert metrics['catalog_deletions_held{source="moon"}'] == 0
        assert metrics['catalog_rejected_records{source="moon"}'] == 0
        assert metrics['catalog_run_duration_seconds{source="moon"}'] > 0
        assert metrics["catalog_schema_current"] == 1
        # before the stop: a sweep that it ends is a warning
        assert all(line["level"] in ("info", "debug") for line in daemon.lines), daemon.lines
        assert daemon.stop() == 0
    assert one(database_url, "SELECT count(*) FROM runs WHERE finished_at IS NULL") == 0


def test_after_a_restart_gauges_are_right_at_once_and_a_late_run_takes_place_once(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    text = configuration(database_url, {"moon": cloud.endpoint}, interval="1h")
    with DaemonProcess(config, text) as daemon:
        daemon.wait_for("sweep", source="moon")
        assert daemon.stop() == 0
    with DaemonProcess(config) as daemon:
        metrics = daemon.metrics()
        assert metrics['catalog_images{source="moon",state="live"}'] == len(IMAGES)
        assert metrics['catalog_runs_total{outcome="complete",source="moon"}'] == 0
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE sources SET next_due_at = now() - interval '3 days'")
        daemon.wait_for("sweep", source="moon")
        assert daemon.stop() == 0
    assert one(database_url, "SELECT count(*) FROM runs") == 2
    assert one(database_url, "SELECT next_due_at > now() + interval '30 minutes' FROM sources")


def test_each_source_has_its_row_from_the_start_though_nothing_was_read_of_it(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    """So that alerts see it; it is of another kind as long as the configuration says so."""
    cloud.faults.add(hang(), times=None)
    sources = dict.fromkeys(("mars", "moon", "venus"), cloud.endpoint)
    text = configuration(database_url, sources, deadline="10m") + "\n[daemon]\nparallel_sources = 1\n"
    with DaemonProcess(config, text) as daemon:
        until(lambda: len(query(database_url, "SELECT FROM sources")) == 3, "the sources' rows")
        until(lambda: cloud.requests, "the first request")
        assert daemon.metrics()['catalog_source_expected_interval_seconds{source="venus"}'] == 1
        assert daemon.stop() == 0
    assert query(database_url, "SELECT DISTINCT kind, last_complete_at, region, endpoint FROM sources") == [
        ("glance", None, None, None)
    ]
    with DaemonProcess(config, text.replace('"glance"', '"ims"')) as daemon:
        until(lambda: query(database_url, "SELECT DISTINCT kind FROM sources") == [("ims",)], "another kind")
        assert daemon.stop() == 0


# --- signals


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_while_the_cloud_hangs_it_merges_what_was_read_and_deletes_nothing(
    config: Path, database_url: str, cloud: CloudServer, kind: signal.Signals
) -> None:
    """The run is partial, the source is still due, and no process is needed to clean up."""
    cloud.faults.add(hang(), when=second_page, times=None)
    text = configuration(database_url, {"moon": cloud.endpoint}, page_size=5, deadline="10m", interval="1h")
    with DaemonProcess(config, text) as daemon:
        until(lambda: any(map(second_page, cloud.requests)), "the second page")
        assert daemon.stop(kind) == 0
    run = query(database_url, "SELECT outcome, error_kind, listed, deleted, finished_at IS NULL FROM runs")
    assert run == [("partial", "deadline", 5, 0, False)]
    assert one(database_url, "SELECT count(*) FROM images") == 5
    assert one(database_url, "SELECT count(*) FROM leases WHERE holder IS NOT NULL") == 0
    assert one(database_url, "SELECT coalesce(next_due_at, created_at) < now() FROM sources")


def test_it_stops_in_the_middle_of_an_answer_that_drips(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    cloud.faults.add(drip(0.05), times=None)
    text = configuration(database_url, {"moon": cloud.endpoint}, deadline="10m")
    with DaemonProcess(config, text) as daemon:
        until(lambda: cloud.requests, "the first request")
        assert daemon.stop() == 0
    assert query(database_url, "SELECT outcome, listed FROM runs") == [("failed", 0)]
    assert one(database_url, "SELECT count(*) FROM images") == 0


def test_sighup_takes_over_the_sources_of_the_configuration_and_refuses_a_broken_one(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    """A shorter interval counts from then on, a removed or retired source rests, a new one begins."""
    with DaemonProcess(
        config, configuration(database_url, {"moon": cloud.endpoint}, interval="1d")
    ) as daemon:
        daemon.wait_for("sweep", source="moon")
        config.write_text("[[sources]]\nname = 5\n")
        daemon.process.send_signal(signal.SIGHUP)
        assert str(config) in daemon.wait_for("configuration refused")["reason"]

        sources = {"moon": cloud.endpoint, "mars": cloud.endpoint, "venus": cloud.endpoint}
        config.write_text(configuration(database_url, sources))
        daemon.process.send_signal(signal.SIGHUP)
        for name in sources:
            daemon.wait_for("sweep", 2, source=name)
        expected = query(database_url, "SELECT DISTINCT expected_seconds FROM source_freshness")
        assert expected == [(1.0,)]

        del sources["moon"]
        config.write_text(configuration(database_url, sources))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("configuration read again", 2)
        # a sweep that was under way would take it into use again
        retire = partial(between_sweeps, database_url, "venus", "retired_at = now()")
        until(retire, "a moment between two sweeps of venus")
        count = {name: len(daemon.logged("sweep", source=name)) for name in ("moon", "mars", "venus")}
        daemon.wait_for("sweep", count["mars"] + 3, source="mars")
        for name in ("moon", "venus"):
            assert len(daemon.logged("sweep", source=name)) <= count[name] + 1, "one may have been under way"
        assert daemon.stop() == 0


# --- several daemons


def test_two_daemons_run_each_due_sweep_once(config: Path, database_url: str, cloud: CloudServer) -> None:
    """Their runs together keep the distance of the interval, and none was merely busy."""
    text = configuration(database_url, {"moon": cloud.endpoint})
    with DaemonProcess(config, text) as first, DaemonProcess(config) as second:
        until(lambda: one(database_url, "SELECT count(finished_at) FROM runs") >= 4, "four runs")
        assert first.stop() == 0
        assert second.stop() == 0
    gaps = query(
        database_url,
        "SELECT extract(epoch FROM started_at - lag(started_at) OVER (ORDER BY started_at))::float8 FROM runs",
    )
    assert all(gap >= 0.9 for (gap,) in gaps[1:]), gaps
    # a fifth may have been under way as they were stopped
    done = query(database_url, "SELECT outcome FROM runs ORDER BY started_at LIMIT 4")
    assert done == [("complete",)] * 4
    told = len(first.logged("sweep")) + len(second.logged("sweep"))
    assert told == one(database_url, "SELECT count(*) FROM runs")


def test_the_source_of_a_killed_daemon_is_taken_over_when_its_lease_ends(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    cloud.faults.add(hang(), times=1)
    text = configuration(database_url, {"moon": cloud.endpoint}, deadline="10m", interval="1h")
    with DaemonProcess(config, text) as first:
        until(lambda: cloud.requests, "a sweep under way")
        with DaemonProcess(config) as second:
            second.wait_for("daemon started")
            first.process.kill()
            first.ended()
            assert one(database_url, "SELECT count(*) FROM runs WHERE finished_at IS NULL") == 1
            second.wait_for("sweep", source="moon", outcome="complete")
            assert second.stop() == 0
    runs = query(database_url, "SELECT outcome, error_kind FROM runs ORDER BY started_at")
    assert runs == [("failed", "database"), ("complete", None)]
    waited = one(
        database_url,
        "SELECT extract(epoch FROM max(started_at) - min(started_at))::float8 FROM runs",
    )
    assert waited >= LEASE_SECONDS / 2


# --- clouds that fail


def test_a_failing_source_backs_off_and_recovers_and_its_neighbour_never_notices(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    cloud.faults.add(html(), times=2 * 3)
    with CloudServer(Cloud("glance", IMAGES)) as healthy:
        text = configuration(
            database_url, {"moon": cloud.endpoint, "mars": healthy.endpoint}, interval="0.5s"
        )
        with DaemonProcess(config, text) as daemon:
            daemon.wait_for("source keeps failing", 2, source="moon")
            failing = query(
                database_url,
                "SELECT failures >= 2, failing_since IS NOT NULL, error_kind FROM source_freshness"
                " WHERE source = 'moon'",
            )
            assert failing == [(True, True, "bad_listing")]
            assert daemon.metrics()['catalog_source_failing{error_kind="bad_listing",source="moon"}'] == 1
            daemon.wait_for("sweep", source="moon", outcome="complete")
            recovered = query(
                database_url, "SELECT failures, failing_since FROM source_freshness WHERE source = 'moon'"
            )
            assert recovered == [(0, None)]
            assert not daemon.logged("sweep", source="mars", outcome="failed")
            assert daemon.stop() == 0
    gaps = query(
        database_url,
        "SELECT extract(epoch FROM lead(started_at) OVER (ORDER BY started_at) - started_at)::float8"
        " FROM runs JOIN sources USING (source_id) WHERE name = 'moon' ORDER BY started_at LIMIT 3",
    )
    assert gaps[2][0] >= 1.9, "the third failure in a row waits four intervals"


def test_a_sweep_that_hangs_ends_at_its_deadline_and_the_next_one_comes(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    cloud.faults.add(hang(), times=1)
    text = configuration(database_url, {"moon": cloud.endpoint}, deadline="1s")
    with DaemonProcess(config, text) as daemon:
        daemon.wait_for("sweep", source="moon", error_kind="deadline")
        daemon.wait_for("sweep", source="moon", outcome="complete")
        assert daemon.stop() == 0


# --- fairness


def test_a_cloud_that_never_answers_leaves_the_others_their_turns(
    config: Path, database_url: str, cloud: CloudServer
) -> None:
    """Eight sources of it want the four threads all the time; the good one is swept as often as it is due."""
    with CloudServer(Cloud("glance", IMAGES)) as mute:
        mute.faults.add(hang(), times=None)
        sources = {f"mute-{n}": mute.endpoint for n in range(8)} | {"moon": cloud.endpoint}
        text = configuration(database_url, sources, deadline="60s")
        with DaemonProcess(config, text) as daemon:
            daemon.wait_for("sweep", 5, source="moon", outcome="complete")
            assert not daemon.logged("sweep", source="mute-0", outcome="complete")
            assert daemon.stop() == 0


# --- changes between sweeps


def test_between_sweeps_it_asks_for_changes_alone_and_tells_both_ages(
    config: Path, database_url: str
) -> None:
    """Nothing new, no row; what is new is there soon, long before the next sweep; off again, it asks no more."""
    images = Cloud("glance", IMAGES)
    times = {"interval": "1h", "changes_interval": "1s"}
    with (
        CloudServer(images) as cloud,
        DaemonProcess(config, configuration(database_url, {"moon": cloud.endpoint}, **times)) as daemon,
    ):
        daemon.wait_for("sweep", source="moon", outcome="complete")
        checked = "SELECT last_changes_at FROM sources"
        first = until(lambda: one(database_url, checked), "changes that were asked for")
        until(lambda: one(database_url, checked) > first, "changes that were asked for again")
        assert one(database_url, "SELECT count(*) FROM runs") == 1
        images.change(IMAGES[0]["id"], name="renamed")
        daemon.wait_for("sweep", source="moon", scope="changes", updated=1)
        assert query(database_url, "SELECT scope, updated FROM runs ORDER BY started_at") == [
            ("complete", 0),
            ("changes", 1),
        ]
        metrics = daemon.metrics()
        complete_at = metrics['catalog_source_last_complete_timestamp_seconds{source="moon"}']
        assert metrics['catalog_source_last_changes_timestamp_seconds{source="moon"}'] > complete_at
        assert metrics['catalog_runs_total{outcome="complete",source="moon"}'] == 1
        config.write_text(configuration(database_url, {"moon": cloud.endpoint}, interval="1h"))
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: one(database_url, "SELECT next_changes_at IS NULL FROM sources"), "the end of changes")
        assert daemon.stop() == 0


def test_a_service_that_does_not_list_by_time_gets_complete_sweeps_alone(
    config: Path, database_url: str
) -> None:
    times = {"interval": "6s", "changes_interval": "1s"}
    with (
        CloudServer(Cloud("glance", IMAGES, refuses={"updated_at"})) as cloud,
        DaemonProcess(config, configuration(database_url, {"moon": cloud.endpoint}, **times)) as daemon,
    ):
        daemon.wait_for("sweep", 3, source="moon", outcome="complete")
        (told,) = daemon.logged("complete sweeps alone", source="moon")
        assert "only complete sweeps bring its changes" in told["reason"]
        assert one(database_url, "SELECT count(*) FROM runs WHERE scope = 'changes'") == 0
        assert one(database_url, "SELECT failing_since FROM sources") is None
        assert daemon.stop() == 0
