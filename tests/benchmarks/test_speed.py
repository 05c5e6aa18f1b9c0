"""`make bench`: its parts on tiny sizes, how it reads the clock, and the table in docs/performance.md."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.speed import __main__ as bench
from benchmarks.speed import ours, peers
from benchmarks.speed.models import tokenizer
from benchmarks.speed.pinned import cores, rate, run
from benchmarks.speed.results import BEGIN, END, Results, insert, table
from benchmarks.speed.sizes import GENERATING, PROMPT, TRAINED, Size

ROOT = Path(__file__).parents[2]
TINY = Size(1, 1, 16, 16, 66, batch=2, steps=6, every=2)
# a checkout whose train.py prints what nanoGPT's does, and its arguments
TRAIN = """
import sys, time
print(sys.argv[1:])
for number in range(int(next(a for a in sys.argv if a.startswith("--max_iters")).partition("=")[2]) + 1):
    time.sleep(0.05)
    print(f"iter {number}: loss 4.1, time 50.00ms, mfu -100.00%")
"""


def test_the_rate_is_the_median_over_intervals_of_which_the_first_does_not_count() -> None:
    ends = [(1, 50.0), (2, 51.0), (3, 51.5), (4, 52.0), (5, 53.0), (6, 54.0), (7, 54.1), (8, 54.2)]
    assert rate(ends, 2, 10) == pytest.approx(20)  # of 2 steps in 1.0, 2.0 and 0.2 s
    assert rate([(s, float(s)) for s in range(1, 9)], 1, 10) == pytest.approx(10)
    with pytest.raises(RuntimeError, match="too few"):
        rate(ends[:3], 2, 10)


def test_lines_are_stamped_when_they_are_complete_and_the_command_keeps_to_its_core() -> None:
    code = "import os, time\nprint('a', end='', flush=True)\ntime.sleep(0.2)\nprint('b')\n"
    core = cores()[-1] if cores() else None
    seen = [] if core is None else [core]
    code += "print(sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else [])"
    polled = []
    done = run([sys.executable, "-c", code], core, poll=lambda: polled.append(1))
    (first, _), (complete, text) = done.pieces[0], done.lines[0]
    assert text == "ab"
    assert complete - first >= 0.15
    assert json.loads(done.lines[1][1]) == seen
    assert done.peak_gib > 0.001
    assert polled


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(RuntimeError, match="ValueError: no good"):
        run([sys.executable, "-c", "raise ValueError('no good')"], None)


def test_the_rows_of_a_curve_are_stamped_once_each(tmp_path: Path) -> None:
    watch = ours.RowWatch(tmp_path)
    watch.poll()
    file = tmp_path / "scratch/pretrain/0/train.csv"
    file.parent.mkdir(parents=True)
    file.write_text("step,tokens\n1,10\n2,2")  # of which the last is being written
    watch.poll()
    file.write_text("step,tokens\n1,10\n2,20\n4,40\n")
    watch.poll()
    watch.poll()
    assert [step for step, _ in watch.stamps] == [1, 2, 4]
    assert watch.stamps[0][1] <= watch.stamps[1][1] == watch.stamps[2][1]


def test_peers_that_are_not_there_are_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "NEEDS", {"one": "json", "other": "no_such_module"})
    found, missing = peers.available({})
    assert found == ["one"]
    assert [(peer.name, peer.why) for peer in missing] == [
        ("other", "not installed; `make bench` installs it"),
        ("nanoGPT", "set NANOGPT to its checkout"),
    ]
    assert "no train.py there" in peers.available({"NANOGPT": str(tmp_path)})[1][1].why
    (tmp_path / "train.py").write_text("")
    assert peers.available({"NANOGPT": str(tmp_path)})[0] == ["one", "nanoGPT"]


def test_nanogpts_own_script_is_run_with_the_size_and_its_lines_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.setenv("NANOGPT", str(tmp_path))
    done, stamps = peers._nanogpt(TINY, None, tmp_path)
    assert [step for step, _ in stamps] == [1, 2, 3, 4, 5, 6]
    assert {"--n_layer=1", "--block_size=16", "--batch_size=2", "--device=cpu"} <= set(eval(done.lines[0][1]))
    assert peers.train("nanoGPT", TINY, None, tmp_path)["tokens/s"] < TINY.tokens / 0.05


def test_ratios_are_medians_of_paired_rounds_against_the_best_peer(tmp_path: Path) -> None:
    results = Results({"processor": "Some CPU", "cores": "2", "torch": "2"}, {"memory GB/s": 12.3})
    for mine, theirs, slow in ((100.0, 50.0, 10.0), (60.0, 30.0, 10.0), (90.0, 90.0, 10.0)):
        for name, value in (("Foundling", mine), ("nanoGPT", theirs), ("LitGPT", slow)):
            results.add("train x", name, {"tokens/s": value, "s to the first step": 1000 / value})
    speed, start = results.measured
    assert speed.medians["Foundling"] == 90
    assert speed.ratio == ("nanoGPT", 2.0)  # of 2, 2 and 1
    assert start.ratio == ("nanoGPT", 0.5)
    results.add("around the model", "Foundling", {"ms per batch": 0.1234})
    assert "| train x: tokens/s | 90 | 50 | 10 | 2.00 (nanoGPT) |" in table(results)
    assert "| around the model: ms per batch | 0.123 | – | – | – |" in table(results)
    assert "Some CPU, one core of 2: memory GB/s 12.3. torch 2." in table(results)

    results.write(tmp_path / "folder/x.json")
    again = Results.read(tmp_path / "folder/x.json")
    assert again == results
    assert [one.benchmark for one in again.without({"train x"}).measured] == ["around the model"]

    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    insert(page, table(results))
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\nSome CPU")
    assert text.endswith(f"|\n\n{END}\nafter\n")
    page.write_text("nothing")
    with pytest.raises(ValueError, match="has no lines"):
        insert(page, "x")


def test_the_documented_table_is_that_of_the_committed_results() -> None:
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    shown = page.partition(BEGIN)[2].partition(END)[0].strip()
    committed = [table(Results.read(file)) for file in (ROOT / "benchmarks/results").glob("*.json")]
    assert shown in committed


@pytest.mark.parametrize("name", GENERATING)
def test_the_made_up_tokenizers_have_the_sizes_and_the_prompt_its_length(name: str) -> None:
    size = GENERATING[name]
    words = tokenizer(size.vocabulary)
    assert words.vocab_size == size.vocabulary
    assert len(words.encode(ours.prompt(size))) == PROMPT


@pytest.mark.parametrize("name", TRAINED)
def test_the_alphabets_make_the_vocabularies(name: str) -> None:
    count = TRAINED[name].vocabulary - ours.SPECIALS
    assert len(set(ours.alphabet(count))) == count
    assert not any(character.isspace() for character in ours.alphabet(count))


@pytest.mark.slow
def test_a_tiny_round_measures_every_contender_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    sizes = {"train tiny": TINY, "generate tiny": replace(TINY, vocabulary=258, context=64, new_tokens=8)}
    monkeypatch.setattr(bench, "SIZES", sizes)
    monkeypatch.setattr(bench, "watched_core", lambda: None)
    monkeypatch.setattr(bench.machine, "limits", lambda core: {"memory GB/s": 1.0})
    there = [
        name
        for name, module in {"transformers": "transformers", "llama.cpp": "xllamacpp"}.items()
        if find_spec(module)
    ]
    monkeypatch.setattr(peers, "available", lambda: (there, [peers.Missing("nanoGPT", "set NANOGPT")]))
    options = ["--only", *sizes, "--rounds", "1", "--to", str(tmp_path / "x.json")]
    monkeypatch.setattr(sys, "argv", ["bench", *options])
    bench.main()
    train, *_, generated, _ = Results.read(tmp_path / "x.json").measured
    assert set(generated.values) == {"Foundling", *there}
    assert set(train.values) == {"Foundling", *there} - {"llama.cpp"}
    assert all(
        value > 0 for values in (*train.values.values(), *generated.values.values()) for value in values
    )
    said = capfd.readouterr()
    assert "nanoGPT is skipped: set NANOGPT" in said.err
    assert "| train tiny: tokens/s |" in said.out


@pytest.mark.slow
def test_the_parts_around_the_model_are_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.speed.parts", json.dumps(asdict(TINY))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    parts = json.loads(done.stdout)
    assert set(parts) == {"ms per batch", "s per checkpoint", "held-out tokens/s"}
    assert all(value > 0 and "Foundling" in ways for ways in parts.values() for value in ways.values())
