"""The view image_os: told at the merge, kept as it is by sweeps without changes, told anew by remap."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from catalog.mapping import MappingRules, map_record
from catalog.model import Candidate, Observation
from catalog.store.db.connection import Database
from catalog.store.state import sources
from catalog.sync.mapping_adapter import MappingAdapter
from catalog.sync.remap import remap
from tests.support.observations import add_source, day, merge_of, observe
from tests.support.rows import rows, snapshot

RUN = "00000000-0000-4000-8000-000000000009"
TODAY = "(now() AT TIME ZONE 'UTC')::date"
UBUNTU = {"__platform": "Ubuntu", "__os_version": "Ubuntu 22.04 server 64bit", "__os_bit": "64"}
ROCKY = {"os_distro": "rocky", "os_version": "9.4", "architecture": "x86_64", "os_purpose": "minimal"}


def told(database: Database) -> dict[str, tuple[Any, ...]]:
    found = rows(database, "SELECT image_id, distro, release, arch, purpose FROM image_os")
    return {row["image_id"]: tuple(row.values())[1:] for row in found}


def see(database: Database, number: int, images: dict[str, dict[str, Any]], **more: Any) -> None:
    with database.transaction() as connection:
        observe(connection, day(number), images, **more)


@pytest.fixture
def filled(database: Database) -> Database:
    add_source(database)
    see(database, 1, {"u": UBUNTU, "r": ROCKY})
    return database


def run_remap(database: Database) -> dict[str, int]:
    with database.transaction() as connection:
        source = sources.find(connection, "cloud")
    assert source is not None
    return remap(database, source, MappingAdapter(MappingRules())).rows


def test_both_services_speak_one_vocabulary(filled: Database) -> None:
    assert told(filled) == {
        "u": ("ubuntu", "22.04", "x86_64", "generic"),
        "r": ("rocky", "9.4", "x86_64", "minimal"),
    }
    row = rows(filled, "SELECT * FROM image_os WHERE image_id = 'u'")[0]
    assert (row["source"], row["live"]) == ("cloud", True)


def test_a_change_is_told_anew_and_a_deletion_keeps_what_was_told(filled: Database) -> None:
    see(filled, 2, {"u": {**UBUNTU, "__os_version": "Ubuntu 24.04 server 64bit"}})
    assert told(filled) == {
        "u": ("ubuntu", "24.04", "x86_64", "generic"),
        "r": ("rocky", "9.4", "x86_64", "minimal"),
    }
    assert rows(filled, "SELECT live FROM image_os WHERE image_id = 'r'") == [{"live": False}]


def test_an_older_listing_does_not_change_what_is_told_now(filled: Database) -> None:
    see(filled, 0, {"u": {"os_distro": "debian", "os_version": "11"}}, complete=False)
    assert told(filled)["u"] == ("ubuntu", "22.04", "x86_64", "generic")


def test_an_observation_taken_out_again_takes_its_system_with_it(filled: Database) -> None:
    see(filled, 2, {"u": {"os_distro": "debian", "os_version": "11"}}, complete=False)
    assert told(filled)["u"] == ("debian", "11", None, "generic")
    with filled.transaction() as connection:
        merge_of(connection, RUN).forget(day(2))
    assert told(filled)["u"] == ("ubuntu", "22.04", "x86_64", "generic")


def test_a_sweep_without_changes_writes_nothing(filled: Database) -> None:
    before = snapshot(filled, without=("observations",))
    see(filled, 2, {"u": UBUNTU, "r": ROCKY})
    assert snapshot(filled, without=("observations",)) == before


def test_remap_applies_rules_that_were_added_and_then_changes_nothing(filled: Database) -> None:
    with filled.transaction() as connection:
        connection.execute(
            "INSERT INTO image_os_rules (rank, tells, pattern, value, release)"
            r" VALUES (1, 'system', '\brocky (9)', 'corp-rocky', '\1')"
        )
    assert told(filled)["r"][0] == "rocky"
    assert run_remap(filled) == {"image_state": 1}
    assert told(filled)["r"] == ("corp-rocky", "9", "x86_64", "minimal")
    assert run_remap(filled) == {}


@pytest.mark.parametrize("pattern", ["(unclosed", r"\mubuntu", "(?x) u b", r"(a)\1"])
def test_a_rule_that_sweeps_would_not_read_is_refused_when_it_is_written(
    database: Database, pattern: str
) -> None:
    with database.transaction() as connection, pytest.raises(psycopg.Error), connection.transaction():
        connection.execute(
            "INSERT INTO image_os_rules (rank, tells, pattern, value) VALUES (1, 'system', %s, 'x')",
            (pattern,),
        )


def test_a_rule_that_only_postgresql_reads_is_left_out_with_a_warning(filled: Database) -> None:
    with filled.transaction() as connection:
        connection.execute(
            r"INSERT INTO image_os_rules (rank, tells, pattern, value) VALUES (1, 'system', 'ubuntu|\cx', 'x')"
        )
    listing = [Candidate(map_record(json.dumps({"id": "n", **UBUNTU}).encode(), MappingRules()))]
    with filled.transaction() as connection:
        counts = merge_of(connection, RUN).apply(Observation(RUN, day(2), False, listing))
    assert [line for line in counts.warnings if line.startswith("image_os_rules: rule 1 is left out")]
    assert told(filled)["n"][0] == "ubuntu"


@pytest.mark.parametrize(
    ("phases", "ends", "phase"),
    [
        ({"active": 5, "security": 100}, 100, "active"),
        ({"active": -5, "security": 0}, 0, "security"),
        ({"security": -1, "extended": 900}, -1, "extended"),
        ({"security": -10, "lts": 30}, 30, "lts"),
        ({"security": -10, "extended": -1}, -10, "ended"),
        ({"active": -10, "security": None}, None, "security"),
    ],
)
def test_free_support_ends_when_its_last_phase_does(
    filled: Database, phases: dict[str, int | None], ends: int | None, phase: str
) -> None:
    with filled.transaction() as connection:
        connection.execute("DELETE FROM os_support")
        connection.cursor().executemany(
            "INSERT INTO os_support (distro, release, phase, ends_on, source)"
            f" VALUES ('rocky', '9', %s, {TODAY} + %s::integer, 'test')",
            list(phases.items()),
        )
    row = rows(filled, f"SELECT *, {TODAY} AS today FROM image_os WHERE image_id = 'r'")[0]
    expected: date | None = None if ends is None else row["today"] + timedelta(days=ends)
    assert (row["support_ends_on"], row["support_phase"]) == (expected, phase)
    assert rows(filled, "SELECT support_phase FROM image_os WHERE image_id = 'u'") == [
        {"support_phase": None}
    ]


def test_at_least_fifteen_systems_are_known_each_date_with_its_origin(database: Database) -> None:
    found = rows(database, "SELECT * FROM os_support")
    assert len({row["distro"] for row in found}) >= 15
    assert [row for row in found if "https://" not in row["source"] or not row["builtin"]] == []
    free = {(row["distro"], row["release"], row["phase"]): row["ends_on"] for row in found}
    assert free["ubuntu", "20.04", "security"] == date(2025, 5, 31)
    assert free["centos", "7", "security"] == date(2024, 6, 30)
    assert free["windows", "2012-r2", "extended"] == date(2026, 10, 13)
    assert free["debian", "12", "lts"] == date(2028, 6, 30)
