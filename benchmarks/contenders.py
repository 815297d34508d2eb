"""Who runs: the product by its console command, and the baselines in an environment of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.databases import Server
from benchmarks.measuring import Run, run
from benchmarks.report import ROOT

PACKAGES = ("dlt[postgres]", "psycopg[binary]", "msgspec", "httpx")
"""What dlt needs, from the package index that pip is set up for; the limit has what the product has."""
TEMPLATE = "bench_template"


@dataclass(frozen=True)
class Contender:
    """`largest`: the number of images up to which it is run; beyond, it would take an hour a run."""

    name: str
    script: str | None = None
    arguments: tuple[str, ...] = ()
    largest: int = 1_000_000


PRODUCT = Contender("catalog")
LIMIT = Contender("limit", "limit.py")
CONTENDERS = (
    PRODUCT,
    LIMIT,
    Contender("dlt-merge", "dlt_load.py", ("merge", "columns"), largest=100_000),
    Contender("dlt-scd2", "dlt_load.py", ("scd2", "columns"), largest=100_000),
    Contender("dlt-scd2-tables", "dlt_load.py", ("scd2", "tables"), largest=100_000),
)


@dataclass
class Track:
    """The course: a server, a cache folder, dlt's interpreter."""

    server: Server
    cache: Path
    _interpreter: Path | None = field(default=None, init=False)
    _has_template: bool = field(default=False, init=False)

    @property
    def interpreter(self) -> Path:
        """Python of dlt's environment, made on the first occasion."""
        if self._interpreter is None:
            folder = self.cache / "baselines"
            self._interpreter = folder / "bin" / "python"
            if not (folder / "complete").exists():
                subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
                subprocess.run([self._interpreter, "-m", "pip", "install", "-q", *PACKAGES], check=True)
                (folder / "complete").touch()
        return self._interpreter

    def sampler(self, rate: int, target: Path) -> list[str]:
        """py-spy before a command: `rate` samples a second of all its threads, waiting ones too, by function."""
        program = self.interpreter.with_name("py-spy")
        if not program.exists():
            subprocess.run([self.interpreter, "-m", "pip", "install", "-q", "py-spy"], check=True)
        options = ["--rate", str(rate), "--threads", "--idle", "--function", "--format", "raw"]
        return [str(program), "record", *options, "--output", str(target), "--"]

    def versions(self) -> dict[str, str]:
        """Versions of the baselines' packages."""
        listed = subprocess.run(
            [self.interpreter, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True
        )
        wanted = {"dlt", "psycopg", "psycopg2-binary", "msgspec", "httpx"}
        return {p["name"]: p["version"] for p in json.loads(listed.stdout) if p["name"].lower() in wanted}

    def prepare(self, contender: Contender, database: str) -> None:
        """An empty database; the product's with its schema, as `catalog db upgrade` made it."""
        if contender is PRODUCT:
            self.make_template()
            self.server.create(database, TEMPLATE)
        else:
            self.server.create(database)
        shutil.rmtree(self._pipelines(contender, database), ignore_errors=True)

    def make_template(self) -> None:
        """The product's schema, once a run of the benchmarks."""
        if not self._has_template:
            self.server.create(TEMPLATE)
            run([*catalog(), "--database-url", self.server.socket_url(TEMPLATE), "db", "upgrade"])
            self._has_template = True

    def load(self, database: str, endpoint: str) -> None:
        """A new database, of the product, with one source swept."""
        self.prepare(PRODUCT, database)
        self.sweep(PRODUCT, database, endpoint)
        self.server.vacuum(database)

    def sweep(
        self,
        contender: Contender,
        database: str,
        endpoint: str,
        sources: int = 1,
        name: str = "s",
        program: Sequence[str] = (),
    ) -> Run:
        """One measured sweep of `sources` sources that all list what `endpoint` serves.

        `program`: what runs the product, instead of its console command.
        """
        if contender is PRODUCT:
            configuration = self.configuration([f"{name}{n}" for n in range(sources)], endpoint)
            url = self.server.socket_url(database)
            program = program or catalog()
            command = [*program, "--config", str(configuration), "--database-url", url, "sync"]
        else:
            assert contender.script is not None
            script = str(ROOT / "benchmarks" / contender.script)
            command = [sys.executable, script, self.server.socket_url(database), endpoint, str(sources)]
            if contender.arguments:  # dlt's
                command[:3] = [str(self.interpreter), script, self.server.url(database)]
                command += [*contender.arguments, str(self._pipelines(contender, database))]
        with self.server.counting(database) as count:
            measured = run(command, {"NO_PROXY": "*", "OS_CLIENT_CONFIG_FILE": "/dev/null"})
        return Run(measured.wall, measured.cpu, measured.peak, count[0])

    def configuration(self, names: list[str], endpoint: str) -> Path:
        """catalog.toml of these sources. Without look-ups by id, which no baseline makes."""
        path = self.cache / "catalog.toml"
        lines = ['[defaults]\ndeadline = "2h"\nlookup_limit = 0\npage_size = 1000\n']
        lines += [
            f'[[sources]]\nname = "{name}"\nkind = "ims"\nendpoint = "{endpoint}"\nauth = "none"\n'
            for name in names
        ]
        path.write_text("\n".join(lines))
        return path

    def _pipelines(self, contender: Contender, database: str) -> Path:
        return self.cache / "pipelines" / f"{contender.name}-{database}"


def catalog() -> list[str]:
    """The console command, in this environment."""
    return [sys.executable, "-m", "catalog"]
