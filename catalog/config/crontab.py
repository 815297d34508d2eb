"""A crontab's five fields, read as Debian's cron reads them: for the configuration's check and the schedule alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from catalog.errors import ConfigurationError

_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Crontab:
    """Five fields as crontab(5) reads them, by the wall clock of a zone.

    Clocks set forward: what falls into the missing hour runs when it is over. Clocks set back: a time that the
    day has twice counts once, the first. Where minutes or hours begin with `*`, time goes on as it passes.
    """

    text: str
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str, zone: str = "UTC") -> Crontab:
        """Raises ConfigurationError for fields that cron would not read, or a time that never comes."""
        from cronsim import CronSimError

        crontab = cls(text, ZoneInfo(zone))
        try:
            if len(text.split()) != 5:
                raise CronSimError("wrong number of fields")
            comes = crontab.after(_ANY_TIME) is not None
        except CronSimError as error:
            raise ConfigurationError(
                f'cron: expected five fields such as "*/15 * * * *"; found {text!r} ({str(error).lower()})'
            ) from None
        if not comes:
            raise ConfigurationError(f"cron: expected a time that comes; {text!r} never does")
        return crontab

    def after(self, now: datetime) -> datetime | None:
        """The first time later than `now`, in UTC; None if it does not come in the next fifty years."""
        from cronsim import CronSim

        times = (due.astimezone(UTC) for due in CronSim(self.text, now.astimezone(self.zone)))
        return next(
            (due for due in times if due > now), None
        )  # of an hour that comes twice the first is over
