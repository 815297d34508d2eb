"""Files of our own making: whole or not at all, with the mode that the umask leaves, never through a link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalog.files import written_whole


@pytest.mark.parametrize(
    ("umask", "private", "mode"), [(0o022, False, 0o644), (0o077, False, 0o600), (0o002, True, 0o600)]
)
def test_the_umask_decides_who_may_read(tmp_path: Path, umask: int, private: bool, mode: int) -> None:
    before = os.umask(umask)
    try:
        with written_whole(tmp_path / "page", private=private) as file:
            file.write(b"new")
    finally:
        assert os.umask(before) == umask
    assert (tmp_path / "page").stat().st_mode & 0o777 == mode


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path: Path) -> None:
    """Also where a link stands in its place: what it leads to is left alone."""
    (tmp_path / "other").write_text("old")
    (tmp_path / "page").symlink_to(tmp_path / "other")
    with pytest.raises(TypeError), written_whole(tmp_path / "page") as file:
        file.write(None)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "page"]
    with written_whole(tmp_path / "page") as file:
        file.write(b"new")
    assert ((tmp_path / "page").read_text(), (tmp_path / "other").read_text()) == ("new", "old")
