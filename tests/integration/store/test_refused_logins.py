"""A server that is up and lets this login not in says so; "is it running?" would send people the wrong way."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from catalog.errors import DatabaseUnavailable
from catalog.settings import DatabaseSettings
from catalog.store.database import Database


@pytest.mark.parametrize(
    ("other", "named"), [({"username": "nobody_of_ours"}, "nobody_of_ours"), ({"database": "none"}, "none")]
)
def test_a_login_that_the_server_refuses_is_told_as_that(
    server_url: str, other: dict[str, str], named: str
) -> None:
    url = make_url(server_url).set(**other).render_as_string(hide_password=False)  # type: ignore[arg-type]
    with Database(DatabaseSettings(url=url, data_dir=Path())) as database:
        with pytest.raises(DatabaseUnavailable, match=f'refuses the login: .*"{named}"') as raised:
            with database.transaction():
                pass
    assert str(raised.value).endswith("check its user, password and name")
    assert "\n" not in str(raised.value)
