"""Expected failures, as a tree. A class's docstring gives its meaning; its message says the way out.

    CatalogError                    exit 1
    ├── UsageError                  exit 2   the command line or the configuration is wrong; nothing was written
    │   ├── ConfigurationError      exit 2   a file, a key or an environment variable
    │   ├── NothingSwept            exit 2   there is no database yet to be asked
    │   └── SchemaError             exit 2   the database's schema is not the one this release needs
    ├── UnexpectedError             exit 1   a bug in catalog, in the work on one source
    ├── DatabaseError               exit 1   error_kind "database"
    │   ├── DatabaseUnavailable                 cannot be reached; trying again may help
    │   ├── DatabaseConflict                    another transaction was in the way; trying again may help
    │   ├── DatabaseTimeout                     our own bound on a transaction was passed
    │   ├── LeaseLost                           another process took the source over
    │   └── SourceBusy          exit 5          another process is working on the source
    └── FetchError                  exit 1   a listing or a look-up failed; error_kind names the family
        ├── LoginError              "login"
        ├── NetworkError            "network"
        ├── ThrottledError          "throttled"
        ├── UpstreamError           "upstream"   an unusable HTTP status
        ├── NotSupported            "upstream"   it can't be asked for changes alone
        ├── BadListingError         "bad_listing"   a 200 that is not a listing
        ├── DeadlineError           "deadline"
        └── Stopped                 "deadline"   told to stop before the end

Each is one line for people: no traceback, no secret, and no character that PostgreSQL can't hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from catalog.text import bounded, storable


class ExitCode(IntEnum):
    """The exit codes of the command line."""

    OK = 0
    FAILED = 1
    USAGE = 2
    WOULD_CHANGE = 3
    """--plan would change something, or report --exit-code has rows."""
    HELD = 4
    """Deletions are held."""
    BUSY = 5
    INTERRUPTED = 130
    """128 + SIGINT, as shells count."""
    NOBODY_READS = 141
    """128 + SIGPIPE: the reader of standard output went away."""

    @classmethod
    def first_of(cls, codes: Iterable[ExitCode]) -> ExitCode:
        """The one that counts where several sources end differently (README.md, exit codes)."""
        order = (cls.USAGE, cls.FAILED, cls.HELD, cls.BUSY, cls.WOULD_CHANGE)
        return min(codes, key=order.index, default=cls.OK)


class CatalogError(Exception):
    """An expected failure: one line that says what to do."""

    exit_code = ExitCode.FAILED
    error_kind: str | None = None

    def __str__(self) -> str:
        """Storable and of bounded length, as what a service says of itself is quoted in many a message."""
        return storable(bounded(super().__str__()))


class UnexpectedError(CatalogError):
    """A bug in catalog, met in the work on one source; its traceback is logged where this is raised.

    The bug's own text stays out of the one line: it may hold anything.
    """

    error_kind = "upstream"  # what a service says is nearly always what nobody thought of

    def __init__(self, error: Exception) -> None:
        super().__init__(f"unexpected {type(error).__name__}, a bug in catalog; please report it")


class UsageError(CatalogError):
    """The command cannot be carried out as given; nothing was written."""

    exit_code = ExitCode.USAGE
    error_kind = "config"


class ConfigurationError(UsageError):
    """A configuration file or an environment variable is wrong; names file, key and what was expected."""


class NothingSwept(UsageError):
    """There is no database yet, and a command that only asks makes none."""


class SchemaError(UsageError):
    """The database has no schema, an older or a newer one; names the command that helps."""

    error_kind = "database"


class DatabaseError(CatalogError):
    """The database refused or failed."""

    error_kind = "database"


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached; the same call may succeed later."""


class DatabaseConflict(DatabaseError):
    """Another transaction's locks were in the way (a deadlock, for one); the same one may succeed later."""


class DatabaseTimeout(DatabaseError):
    """A statement, or a pause between two, took longer than the transaction was given; it was rolled back."""


class LeaseLost(DatabaseError):
    """Another process holds this source now; nothing of this run was written."""


class SourceBusy(DatabaseError):
    """Another process is working on this source; the same call may succeed later."""

    exit_code = ExitCode.BUSY


class FetchError(CatalogError):
    """A request to an image service did not bring what it should."""

    error_kind = "upstream"


class LoginError(FetchError):
    """The service or its identity service does not accept the credentials."""

    error_kind = "login"


class NetworkError(FetchError):
    """No connection, or one that broke, after the bounded number of retries."""

    error_kind = "network"


class ThrottledError(FetchError):
    """The service keeps asking to slow down, beyond the deadline."""

    error_kind = "throttled"


class UpstreamError(FetchError):
    """The service answered with an unusable status; `status` holds it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotSupported(FetchError):
    """The service can't be asked only for what is new."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the service doesn't list by `updated_at` ({why}): only complete sweeps bring its changes"
        )


class BadListingError(FetchError):
    """The service answered 200 with a body that is not a listing of images."""

    error_kind = "bad_listing"


class DeadlineError(FetchError):
    """The deadline of the sweep passed."""

    error_kind = "deadline"


class Stopped(FetchError):
    """Told to stop; what was read so far is merged, nothing is deleted."""

    error_kind = "deadline"
