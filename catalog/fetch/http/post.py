"""One POST, bounded in time and bytes, which follows no redirect and says nothing of its address."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple

from catalog.deadline import Deadline
from catalog.errors import NetworkError
from catalog.fetch.http.background import BackgroundCall, DeadlineTask
from catalog.fetch.http.endpoint import trust
from catalog.fetch.http.library import httpx
from catalog.fetch.http.proxies import ca_bundle, proxy_for
from catalog.fetch.http.retry import retry_after
from catalog.fetch.http.transport import OpenStreams, new_client, reason_of


class PostAnswer(NamedTuple):
    """`retry_after`: seconds that the answer asks to wait; None if it says nothing."""

    status: int
    retry_after: float | None

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


def post(
    url: str, body: bytes, headers: Mapping[str, str], seconds: float, stop: threading.Event
) -> PostAnswer:
    """Sends the body, and waits for the answer's head at most so long. Its body is not read.

    Raises NetworkError, DeadlineError, Stopped, and ConfigurationError for certificates or a proxy that can't be used.
    """
    task = DeadlineTask(Deadline(seconds, stop))
    streams = OpenStreams()

    def send() -> PostAnswer:
        with new_client(trust(ca_bundle() or True), proxy_for(url), dict(headers), timeout=seconds) as client:
            request = client.stream("POST", url, content=body, extensions={"trace": streams.trace})
            with request as response:
                return PostAnswer(response.status_code, retry_after(response.headers))

    sending = BackgroundCall(send, task, streams.cut)
    try:
        return sending.result()
    except httpx.TransportError as error:
        task.check()  # a connection that we cut ourselves is not the receiver's fault
        # From None: the error's own text may hold the address.
        raise NetworkError(reason_of(error, httpx.URL(url).host)) from None
    finally:
        sending.give_up()
