"""Measured values: kept as JSON, summarized as medians and ratios, and shown as a table in Markdown."""

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path

OURS = "Foundling"
COLUMNS = (OURS, "nanoGPT", "LitGPT", "transformers", "llama.cpp", "plain", "torch.save")
PLAIN = ("plain", "torch.save")  # columns of the table that share one
BEGIN, END = "<!-- begin: make bench -->", "<!-- end: make bench -->"


@dataclass(frozen=True)
class Measured:
    """One figure: what each contender reached, a value per round, in the order of the rounds."""

    benchmark: str  # "train small"
    measure: str  # "tokens/s"; a rate is better when higher, all else when lower
    values: dict[str, list[float]]

    @property
    def medians(self) -> dict[str, float]:
        """By contender."""
        return {name: statistics.median(values) for name, values in self.values.items() if values}

    @property
    def ratio(self) -> tuple[str, float] | None:
        """The best peer, and the median over rounds of our value divided by its; None without either."""
        peers = {name: value for name, value in self.medians.items() if name != OURS}
        if not peers or OURS not in self.medians:
            return None
        best = (max if self.measure.endswith("/s") else min)(peers, key=lambda name: peers[name])
        pairs = zip(self.values[OURS], self.values[best], strict=False)
        return best, statistics.median(ours / theirs for ours, theirs in pairs)


@dataclass
class Results:
    """All figures of a machine."""

    machine: dict[str, str]
    limits: dict[str, float]
    measured: list[Measured] = field(default_factory=list)

    def add(self, benchmark: str, contender: str, values: dict[str, float]) -> None:
        """Add one round's values of a contender, {measure: value}."""
        for measure, value in values.items():
            found = next((m for m in self.measured if (m.benchmark, m.measure) == (benchmark, measure)), None)
            if found is None:
                found = Measured(benchmark, measure, {})
                self.measured.append(found)
            found.values.setdefault(contender, []).append(value)

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Read what `write` has written."""
        values = json.loads(path.read_text(encoding="utf-8"))
        measured = [Measured(**one) for one in values["measured"]]
        return cls(values["machine"], values["limits"], measured)

    def without(self, benchmarks: set[str]) -> "Results":
        """These results but for those benchmarks, which are measured anew."""
        kept = [one for one in self.measured if one.benchmark not in benchmarks]
        return Results(self.machine, self.limits, kept)


def table(results: Results) -> str:
    """The results in Markdown: a line on the machine, then a row per figure with medians and ratio."""
    peers = [name for name in COLUMNS[1:] if any(name in one.values for one in results.measured)]
    shown = [name for name in peers if name not in PLAIN] + ["plain"] * any(name in PLAIN for name in peers)
    limits = ", ".join(f"{name} {_shown(value)}" for name, value in results.limits.items())
    versions = ", ".join(
        f"{name} {value}"
        for name, value in results.machine.items()
        if name not in ("system", "processor", "cores")
    )
    lines = [
        f"{results.machine['processor']}, one core of {results.machine['cores']}: {limits}. {versions}.",
        "",
        f"| figure | {OURS} | {' | '.join(shown)} | ratio to the best peer |",
        f"|---|{'---|' * (len(shown) + 2)}",
    ]
    for one in results.measured:
        cells = [_shown(one.medians.get(OURS))]
        for name in shown:
            names = PLAIN if name == "plain" else (name,)
            cells.append(_shown(next((one.medians[n] for n in names if n in one.medians), None)))
        ratio = "–" if one.ratio is None else f"{one.ratio[1]:.2f} ({one.ratio[0]})"
        lines.append(f"| {one.benchmark}: {one.measure} | {' | '.join(cells)} | {ratio} |")
    return "\n".join(lines)


def insert(page: Path, text: str) -> None:
    """Replace what the page has between its two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{page} has no lines {BEGIN} and {END}; add them where the table belongs")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _shown(value: float | None) -> str:
    """Three significant digits, or all of a larger number's whole part."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
