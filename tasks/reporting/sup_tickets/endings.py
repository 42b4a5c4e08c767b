"""Which endings a figure compares: chosen by their settings, so that a new one finds its figure.

An ending's settings are read as the plain mapping under `sup_tickets.ending`, laid over the
published ones.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.reporting.no_data import NoData

Settings = dict[str, Any]

# What each setting of an ending is where the params do not give it.
DEFAULTS: Settings = {
    "cycle": 8,
    "average": "cia",
    "beta": 0.8,
    "schedule": "triangular",
    "lr1": 0.001,
    "lr2": 0.005,
    "prune_rate": 0.5,
    "batch_norm": "average",
    "calibration_images": 1024,
}
_AVERAGES = {"cia": "CIA", "caa": "CAA", "search": "Greedy search"}
_SCHEDULES = {"triangular": "Triangular (Sup-tickets)", "fge": "FGE", "swa": "SWA"}
_BATCH_NORM = {"average": "Averaged statistics", "re-estimate": "Re-estimated statistics"}


class Endings:
    """The endings of a run: the plain one, and those of Sup-tickets."""

    def __init__(self, given: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> None:
        """given: settings by name, as params.yaml has them. names: those that ran, in order."""
        self.settings = {name: DEFAULTS | dict(given[name]) for name in names}
        self.sup = [name for name in names if self.settings[name]["tickets"]]

    @property
    def plain(self) -> str:
        """The plain ending. Raises NoData where there is none."""
        for name, settings in self.settings.items():
            if not settings["tickets"]:
                return name
        raise NoData("`sup_tickets.endings` has no plain ending (`tickets: 0`)")

    @property
    def first(self) -> str:
        """The first of Sup-tickets, which leads the report and which the ablations vary.

        Raises NoData where there is none.
        """
        if not self.sup:
            raise NoData("`sup_tickets.endings` has none with cheap tickets")
        return self.sup[0]

    def described(self, name: str) -> str:
        """In words: `cia: 3 cheap tickets, cycles of 8 epochs, CIA`."""
        own = self.settings[name]
        if not own["tickets"]:
            return name
        return (
            f"{name}: {_some(own['tickets'], 'cheap ticket')}, cycles of "
            f"{_some(own['cycle'], 'epoch')}, {_average(own)}"
        )

    def in_short(self, name: str) -> str:
        """For a table: `3 × 8 epochs, CIA`, and whatever else is not as published."""
        own = self.settings[name]
        if not own["tickets"]:
            return "–"
        parts = [f"{own['tickets']} × {_some(own['cycle'], 'epoch')}", _average(own)]
        if own["schedule"] != DEFAULTS["schedule"]:
            parts.append(f"{_SCHEDULES[own['schedule']]} schedule")
        if own["batch_norm"] != DEFAULTS["batch_norm"]:
            parts.append("re-estimated")
        if own["prune_rate"] != DEFAULTS["prune_rate"]:
            parts.append(f"{100 * own['prune_rate']:.3g}% exchanged")
        return ", ".join(parts)

    def varying(self, *free: str) -> list[str]:
        """The first ending, and those that differ from it in these settings and in no other.

        Raises NoData where no other does. beta goes with the average: no other reads it.
        """
        settings = [*free, "beta"] if "average" in free else list(free)
        fixed = self._without(self.first, settings)
        alike = [name for name in self.sup if self._without(name, settings) == fixed]
        if len(alike) < 2:
            names = " and ".join(f"`{setting}`" for setting in free)
            raise NoData(f"no ending of this run differs from `{self.first}` in {names} alone")
        return alike

    def _without(self, name: str, free: Sequence[str]) -> Settings:
        own = self.settings[name]
        unread = {"calibration_images"} | (set() if own["average"] == "cima" else {"beta"})
        return {key: value for key, value in own.items() if key not in {*free, *unread}}

    def averages(self) -> dict[str, str]:
        """Label by ending: ways to average the cheap tickets (Figure 3)."""
        found = [e for e in self.varying("average") if self.settings[e]["average"] != "search"]
        if len(found) < 2:
            raise NoData("no ending averages in another way than the first one")
        return {name: _average(self.settings[name]) for name in found}

    def cycles(self) -> dict[str, str]:
        """Label by ending: lengths of the cycle, with as many tickets as there is time for."""
        own = self.settings
        found = self.varying("cycle", "tickets")
        found = [e for e in found if e == self.first or own[e]["cycle"] != own[self.first]["cycle"]]
        if len(found) < 2:
            raise NoData(f"no ending has cycles of another length than `{self.first}`")
        found.sort(key=lambda name: (own[name]["cycle"], own[name]["tickets"]))
        return {
            e: f"{_some(own[e]['cycle'], 'epoch')} ({_some(own[e]['tickets'], 'ticket')})"
            for e in found
        }

    def numbers(self) -> dict[str, int]:
        """Number of cheap tickets by ending, with cycles as long as the first one's (Figure 4)."""
        found = self.varying("tickets")
        return dict(sorted(((e, self.settings[e]["tickets"]) for e in found), key=lambda p: p[1]))

    def schedules(self) -> dict[str, str]:
        """Label by ending: learning rates (Table 7)."""
        found = self.varying("schedule")
        return {e: _SCHEDULES[self.settings[e]["schedule"]] for e in found}

    def batch_norms(self) -> dict[str, str]:
        """Label by ending: where batch norm's statistics come from."""
        found = self.varying("batch_norm")
        return {e: _BATCH_NORM[self.settings[e]["batch_norm"]] for e in found}

    def explorations(self) -> dict[str, str]:
        """Label by ending: share of the weights exchanged where a cycle opens."""
        found = self.varying("prune_rate")
        found.sort(key=lambda name: float(self.settings[name]["prune_rate"]))
        return {e: f"{100 * self.settings[e]['prune_rate']:.3g}% exchanged" for e in found}

    def searches(self) -> list[tuple[str, str]]:
        """Each search over cheap tickets with an ending that averages as many by CIA and is alike
        in all else. CIA first. Of several, one that re-estimates batch norm's statistics, as a
        search does to each average that it tries. Raises NoData where there is none."""
        own = self.settings
        free = ["average", "batch_norm"]
        pairs = []
        for search in (e for e in self.sup if own[e]["average"] == "search"):
            fixed = self._without(search, free)
            averages = [e for e in self.sup if own[e]["average"] == "cia"]
            alike = [e for e in averages if self._without(e, free) == fixed]
            alike.sort(key=lambda name: own[name]["batch_norm"] != "re-estimate")
            pairs += [(cia, search) for cia in alike[:1]]
        if not pairs:
            raise NoData(self._why_no_search(free))
        return pairs

    def _why_no_search(self, free: Sequence[str]) -> str:
        """What keeps each search apart from the ending by CIA that is nearest to it."""
        found = {a: [e for e in self.sup if self.settings[e]["average"] == a] for a in _AVERAGES}
        for average in ("search", "cia"):
            if not found[average]:
                return f"no ending of this run has `average: {average}`"
        reasons = []
        for search in found["search"]:
            own = self._without(search, free)
            apart = {
                e: [key for key, value in self._without(e, free).items() if own[key] != value]
                for e in found["cia"]
            }
            cia = min(apart, key=lambda name: len(apart[name]))
            keys = " and ".join(f"`{key}`" for key in apart[cia])
            reasons.append(f"`{search}` differs from `{cia}` in {keys} as well as in `average`")
        return "; ".join(reasons)


def _average(own: Settings) -> str:
    if own["average"] == "cima":
        return f"CIMA, β = {own['beta']:g}"
    return _AVERAGES[own["average"]]


def _some(count: float, what: str) -> str:
    return f"{count:g} {what}{'' if count == 1 else 's'}"
