"""What Prometheus would read of an engine on a store in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.runtime import Rig
from transport.counting import ReplyCounts
from transport.wire.versions import WIRES, Version
from usher.daemon import Daemon
from usher.metrics.catalogue import PREFIX
from usher.metrics.gauges import read_gauges
from usher.metrics.library import library
from usher.metrics.recorder import Recorder
from usher.tally import Tally


class Scrape:
    """What Prometheus would read of a rig."""

    def __init__(self, rig: Rig, database: Path = Path("/nowhere/usher.db")) -> None:
        self.rig, self.recorder, self.tally = rig, Recorder("test"), Tally({}, {})
        self.reports: dict[str, Any] = {}
        self.database = database
        self.network = SimpleNamespace(
            version=Version.V2,
            rpc=SimpleNamespace(counts=ReplyCounts(WIRES[Version.V2])),
            discovery=SimpleNamespace(counts=ReplyCounts(WIRES[Version.V2])),
        )
        self.journal = SimpleNamespace(commits=0, waiting=0)
        self.cluster: Any = None
        rig.engine._observer = self

    def __getattr__(self, name: str) -> Any:
        def tell(*what: Any) -> None:
            for observer in (self.recorder, self.tally, self.rig.watcher):
                getattr(observer, name)(*what)

        return tell

    def text(self) -> str:
        alone = SimpleNamespace(name="", engine=self.rig.engine, reports=self.reports, network=self.network)
        daemon = SimpleNamespace(
            observes=False,
            engine=self.rig.engine,
            members=(alone,),
            clock=self.rig.clock,
            journal=self.journal,
            epoch=7,
            cluster=self.cluster,
            works=lambda member: not member.engine.holds,
        )
        read_gauges(self.recorder, cast("Daemon", daemon), self.tally, self.database)
        return self.recorder.text()

    def values(self) -> dict[str, float]:
        """Each sample by its name and labels but the site, which all must have."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                is_library = family.name in library()
                assert sample.labels.get("site") == (None if is_library else "test"), sample
                name = sample.name
                if family.type == "counter" and (is_library or name.startswith(PREFIX)):
                    name = name.removeprefix(PREFIX).removesuffix("_total")  # the parser adds it to every counter
                found[name.removeprefix(PREFIX) + written(sample.labels)] = sample.value
        return found


def written(where: Mapping[str, str]) -> str:
    rest = {name: value for name, value in where.items() if name != "site"}
    return "{" + ",".join(f"{name}={value}" for name, value in rest.items()) + "}" if rest else ""
