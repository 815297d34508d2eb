"""A case file of cases/ played by loopback servers: its scripted exchange, its sources, its steps."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from catalog.config.settings import SourceSettings
from catalog.demo.answers import Answer, Request
from catalog.model import RunResult
from catalog.store.db.connection import Database
from catalog.sync.sweep import sweep
from tests.support.cloud_server import CloudServer, Exchange, head
from tests.support.rows import rows
from tests.support.world import hasty

CASES = Path(__file__).parent / "cases"
OURS = {"limit", "sort", "sort_key", "sort_dir", "visibility", "member_status", "os_hidden", "__imagetype"}
"""Parameters that our passes add to a listing."""
KEPT_BY_LOOK_UP = {"B17", "B46"}


def load(name: str) -> dict[str, Any]:
    path = next(CASES.glob(f"{name}*.json"))
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return case


def pass_of(query: dict[str, str]) -> str:
    if query.get("os_hidden") == "true":
        return "hidden"
    return "pending" if query.get("member_status") == "pending" else "listed"


class Script:
    """Answers one source's requests from a case's exchange; what nothing answers is remembered."""

    def __init__(self, *, keeps: bool) -> None:
        self.exchange: list[dict[str, Any]] = []
        self.used: set[int] = set()
        self.unanswered: list[str] = []
        self.stored: dict[str, Any] = {}
        self.listed: dict[str, Any] = {}
        self.keeps = keeps

    def begin(self, exchange: list[dict[str, Any]]) -> None:
        self.exchange, self.used, self.listed = exchange, set(), {}

    def __call__(self, exchange: Exchange) -> None:
        request = exchange.request
        for n, entry in enumerate(self.exchange):
            if (entry.get("repeat") or n not in self.used) and self._fits(entry["request"], request):
                self.used.add(n)
                self._remember(entry)
                return self._send(exchange, entry)
        return exchange.send(self._unscripted(request))

    def _fits(self, wanted: str, request: Request) -> bool:
        wanted, _, condition = wanted.partition(" [")
        if condition:
            header, _, value = condition.rstrip("]").partition("=")
            given = request.headers.get(header.removeprefix("no ").lower())
            if given is not None if header.startswith("no ") else given != value:
                return False
        method, _, place = wanted.partition(" ")
        target = urlsplit(place)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        if method != request.method or pass_of(query) != pass_of(dict(request.query)):
            return False
        if place == "*":
            return True
        added = request.query.keys() - query.keys()
        return target.path == request.path and query.items() <= request.query.items() and added <= OURS

    def _unscripted(self, request: Request) -> Answer:
        """What the README says of requests without an entry; an image that was just listed has its address."""
        listing = request.path.endswith(("/images", "/cloudimages"))
        wanted = request.query.get("id") or unquote(request.path.rsplit("/", 1)[1])
        if listing and "id" in request.query:
            found = [self.stored[wanted]] if self.keeps and wanted in self.stored else []
            return Answer(200, json.dumps({"images": found}).encode())
        if listing and (pass_of(dict(request.query)) != "listed" or "cloudimages" in request.path):
            if pass_of(dict(request.query)) != "listed" or "marker" in request.query:
                return Answer(200, b'{"images": []}')
        elif not listing and (known := (self.stored if self.keeps else self.listed).get(wanted)) is not None:
            return Answer(200, json.dumps(known).encode())
        elif not listing and "/images/" in request.path:
            return Answer(404, b'{"message": "no such image"}')
        self.unanswered.append(f"{request.method} {request.path} {dict(request.query)}")
        return Answer(404, b'{"message": "no entry"}')

    def _remember(self, entry: dict[str, Any]) -> None:
        body = entry.get("body")
        if isinstance(body, dict) and isinstance(body.get("images"), list):
            self.listed |= {r["id"]: r for r in body["images"] if isinstance(r, dict) and "id" in r}
            self.stored |= self.listed

    @staticmethod
    def _send(exchange: Exchange, entry: dict[str, Any]) -> None:
        text = entry["body_raw"] if "body_raw" in entry else json.dumps(entry["body"])
        headers = {"Content-Type": "application/json", **entry.get("headers", {})}
        answer = Answer(entry["status"], text.encode("utf-8", "surrogatepass"), headers)
        exchange.close = bool(entry.get("close")) or "Content-Length" in headers
        if entry.get("close"):
            exchange.write(head(answer, {"Connection": "close"}) + answer.body)
        elif "Content-Length" in headers:
            exchange.write(head(answer) + answer.body)
        else:
            exchange.send(answer)


class Stage:
    """The sources of one case, each with its server, on one database."""

    def __init__(self, database: Database, case: dict[str, Any]) -> None:
        self.database = database
        self.case = case
        self.scripts: dict[str, Script] = {}
        self.servers: dict[str, CloudServer] = {}
        self.sources: dict[str, SourceSettings] = {}
        for key, source in case["sources"].items():
            script = Script(keeps=case["id"] in KEPT_BY_LOOK_UP)
            server = CloudServer(lambda _: Answer(404, b"{}"))
            server.faults.add(script, times=None)
            server.__enter__()
            self.scripts[key], self.servers[key] = script, server
            self.sources[key] = SourceSettings(
                key,
                source["provider"],
                endpoint=server.origin + urlsplit(source["endpoint"]).path,
                auth="token",
                token_env="CASE_TOKEN",
                region=source["region"],
                project_id=source["project"],
                deadline=60.0,
            )

    def close(self) -> None:
        for server in self.servers.values():
            server.__exit__(None, None, None)

    def settings(self, key: str, *configs: dict[str, Any]) -> SourceSettings:
        config = {name: value for one in configs for name, value in one.items()}
        names = {"limit": "page_size", "listings": "passes"}
        assert config.keys() <= {"limit", "max_pages", "filters", "listings"}, config
        changed: dict[str, Any] = {
            names.get(n, n): tuple(v) if n == "listings" else v for n, v in config.items()
        }
        return dataclasses.replace(self.sources[key], **changed)

    def play(self, step: dict[str, Any], *, accept: bool = False) -> RunResult:
        key = step["source"]
        assert "command" not in step, "a case with a backfill: play it by catalog.backfill.backfill"
        self.scripts[key].begin(step["exchange"])
        source = self.settings(key, self.case.get("config", {}), step.get("config", {}))
        return sweep(self.database, source, accept_deletions=accept, opener=hasty)

    def images(self) -> dict[str, dict[str, Any]]:
        found = rows(self.database, "SELECT * FROM images")
        assert len({row["image_id"] for row in found}) == len(found), "ids of a case's sources are distinct"
        return {row["image_id"]: row for row in found}

    def column(self, table: str, column: str, image_id: str) -> list[Any]:
        query = f"SELECT {column} AS c FROM {table} WHERE image_id = %s ORDER BY 1"
        return [row["c"] for row in rows(self.database, query, image_id)]
