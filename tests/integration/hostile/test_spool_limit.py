"""The file of records set aside has a bound, and a listing beyond it a clear end."""

from __future__ import annotations

from tests.support.records import image
from tests.support.world import Sites


def test_records_beyond_the_limit_fail_their_pass_and_the_others_are_merged(sites: Sites) -> None:
    site = sites.open(images=[image(number, k="x" * 10_000) for number in range(9)])
    run = site.sweep(changed={"spool_limit": 50_000})
    assert (run.outcome, run.error_kind, run.inserted, run.deleted) == ("partial", "config", 4, 0)
    assert "spool_limit" in (run.error or "")
    assert site.sweep().outcome == "complete"
    assert len(site.live()) == 9
