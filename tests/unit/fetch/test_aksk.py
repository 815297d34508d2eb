"""AK/SK signing: the same signature as the vendor's SDK, and nothing for any other origin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from urllib.parse import quote

import httpx
import pytest
from huaweicloudsdkcore import sdk_request
from huaweicloudsdkcore.signer import signer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog.errors import LoginError
from catalog.fetch.auth.aksk import AccessKey, AkskAuth, sign
from tests.support.examples import examples

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
KEY = AccessKey("AKEXAMPLE", "a-secret-that-is-made-up")
ENDPOINT = "https://ims.eu-de.example.test"

letters = st.sampled_from(" ~/%+&=?é") | st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
texts = st.text(alphabet=letters, max_size=12)
queries = st.lists(st.tuples(texts.filter(bool), texts), max_size=6)


def signed_request(key: AccessKey = KEY, project: str | None = "p-1", **parts: object) -> httpx.Request:
    request = httpx.Request("GET", **({"url": f"{ENDPOINT}/v2/cloudimages"} | parts))  # type: ignore[arg-type]
    sign(request, key, project, NOW)
    return request


def test_a_known_request_has_the_signature_that_the_sdk_computed() -> None:
    """Computed once by huaweicloudsdkcore 3.1.219, to hold the rule whatever the SDK does next."""
    request = signed_request(params={"__imagetype": "gold", "limit": "100", "marker": "a b/c~d+é"})
    assert request.headers["X-Sdk-Date"] == "20260504T030201Z"
    assert request.headers["Authorization"] == (
        "SDK-HMAC-SHA256 Access=AKEXAMPLE, SignedHeaders=host;x-project-id;x-sdk-date, Signature="
        "cb3599c73b1ffbf824d640f965d03e8f5855e41736652eab4c022a23f3b9954d"
    )


@given(
    query=queries,
    segments=st.lists(texts.filter(lambda text: text not in (".", "..")), max_size=4),  # httpx resolves those
    secret=st.text(min_size=1, max_size=40, alphabet=st.characters(min_codepoint=33, max_codepoint=126)),
    security_token=st.none() | st.text(min_size=1, max_size=40, alphabet="abcXYZ019+/="),
    body=st.binary(max_size=20),
)
@example(
    query=[("b", " ~+&=%é"), ("a", "z"), ("a", "")],
    segments=[" ~+&=%é", "", "/"],
    secret="s",
    security_token="t",
    body=b"b",
)
@settings(max_examples=examples(200))
def test_any_request_is_signed_as_the_sdk_signs_it(
    query: list[tuple[str, str]], segments: list[str], secret: str, security_token: str | None, body: bytes
) -> None:
    path = "/v2/" + "/".join(quote(segment, safe="") for segment in segments)
    ours = httpx.Request("POST", f"{ENDPOINT}{path}", params=httpx.QueryParams(tuple(query)), content=body)
    sign(ours, AccessKey("AK", secret, security_token), "p-1", NOW)

    headers = {"X-Project-Id": "p-1", "X-Sdk-Date": "20260504T030201Z"}
    if security_token is not None:
        headers["X-Security-Token"] = security_token
    theirs = sdk_request.SdkRequest(
        method="POST",
        schema="https",
        host="ims.eu-de.example.test",
        resource_path=path,
        query_params=list(query),
        header_params=headers,
        body=body,
    )
    signer.Signer(SimpleNamespace(ak="AK", sk=secret)).sign(theirs)
    assert ours.headers["Authorization"] == theirs.header_params["Authorization"]


def flow(auth: AkskAuth, url: str, response_date: datetime | None = None) -> httpx.Request:
    request = httpx.Request("GET", url)
    steps = auth.auth_flow(request)
    sent = next(steps)
    headers = {"Date": format_datetime(response_date, usegmt=True)} if response_date else {}
    with pytest.raises(StopIteration):
        steps.send(httpx.Response(401, headers=headers))
    return sent


def test_another_origin_gets_no_signature_and_no_key() -> None:
    auth = AkskAuth(ENDPOINT, "p-1", lambda: KEY)
    assert "Authorization" in flow(auth, f"{ENDPOINT}:443/v2/cloudimages").headers
    for url in ("http://ims.eu-de.example.test/", f"{ENDPOINT}:8443/", "https://elsewhere.test/"):
        headers = flow(auth, url).headers
        assert not {"authorization", "x-project-id", "x-sdk-date", "x-security-token"} & set(headers)


def test_keys_that_changed_since_are_tried_and_others_are_not() -> None:
    keys = [KEY, KEY, AccessKey("AK2", "another")]
    auth = AkskAuth(ENDPOINT, "p-1", lambda: keys.pop(0))
    assert auth.renew() is False
    assert auth.renew() is True
    assert "Access=AK2," in flow(auth, ENDPOINT).headers["Authorization"]


@pytest.mark.parametrize(("hours", "told"), [(1, "60 minutes behind"), (-1, "60 minutes ahead of")])
def test_a_clock_that_is_off_is_told_as_such(hours: int, told: str) -> None:
    auth = AkskAuth(ENDPOINT, "p-1", lambda: KEY)
    flow(auth, ENDPOINT, datetime.now(UTC) + timedelta(hours=hours))
    with pytest.raises(LoginError, match=told):
        auth.renew()


def test_a_refusal_with_the_right_time_is_no_matter_of_the_clock() -> None:
    auth = AkskAuth(ENDPOINT, "p-1", lambda: KEY)
    flow(auth, ENDPOINT, datetime.now(UTC))
    assert auth.renew() is False
