"""Values as literals of Hydra's override grammar, and which settings are texts, so that a text may say anything.

A text setting is one whose default in conf/ is a text, or null under a name of NULLABLE_TEXTS. Its value is taken word
for word: commas, parentheses, quotes and `${` mean nothing in it.
"""

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

# settings that hold a user's own words; they are texts also where they say null or hold the commas of a sweep
WORDS = ("generate.prompt", "predict.text", "translate.text", "chat.system")
# names of settings whose default is null and whose values are texts
NULLABLE_TEXTS = (
    *("path", "source_path", "target_path", "mirror", "format", "to", "sweep"),
    *("separator", "delimiter", "members", "project", "entity"),
    *("system", "input", "kind", "messages", "url", "model", "name", "group"),
)
OTHERS_TOO = "auto"  # a setting with this default also takes numbers or switches, so it is no text


def quoted(text: str) -> str:
    """A text as a quoted value of Hydra's grammar that composes to exactly this text."""
    from hydra.core.override_parser.types import Quote, QuotedString

    if text == "???":  # OmegaConf's mark of a missing value, unless it comes out of an interpolation
        return QuotedString("""${oc.decode:'"???"'}""", Quote.single).with_quotes()
    # OmegaConf reads `${` as an interpolation, unless an odd number of backslashes stands before it
    escaped = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + "\\${", text)
    return QuotedString(escaped, Quote.single).with_quotes()


def literal(value: Any, config: "DictConfig | None" = None) -> str:
    """A YAML value in Hydra's grammar. A text that is wholly a `${reference}` to a value of `config` stays one."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_key(key)}:{literal(inner, config)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(literal(inner, config) for inner in value) + "]"
    if isinstance(value, str):
        if config is not None and value[:2] == "${" and value[-1] == "}" and find(config, value[2:-1]) is not None:
            return f"'{value}'"
        return value if value.isascii() and value.isidentifier() and not _has_meaning(value) else quoted(value)
    if value is not None and not isinstance(value, bool | int | float):
        raise ValueError(
            f"a value is of type {type(value).__name__} ({str(value)[:60]!r}); it must be a text or a number; quote it"
        )
    return json.dumps(value)


def is_text(config: "DictConfig", key: str) -> bool:
    """Whether a dotted key names a text setting of the composed config."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    node = find(config, key)
    if node is None or OmegaConf.is_config(node) or key.split(".")[0] == "hydra":
        return False
    try:
        default = OmegaConf.select(config, key)
    except OmegaConfBaseException:  # an interpolation of something that is missing
        default = None
    if default is None:
        return key.rpartition(".")[2] in NULLABLE_TEXTS
    return isinstance(default, str) and default != OTHERS_TOO


def may_be_null(config: "DictConfig", key: str) -> bool:
    """Whether `null` stands for null in this text setting, and not for the word."""
    from omegaconf import OmegaConf

    return key not in WORDS and key.rpartition(".")[2] in NULLABLE_TEXTS and OmegaConf.select(config, key) is None


def find(config: Any, key: str) -> Any:
    """The node that a dotted key names (its value may be null or unresolved), or None where there is none."""
    from omegaconf import DictConfig, ListConfig

    for part in key.split("."):
        if isinstance(config, DictConfig) and part in config.keys():  # noqa: SIM118 - `in` overlooks null values
            config = config._get_node(part)
        elif isinstance(config, ListConfig) and part.isdigit() and int(part) < len(config):
            config = config._get_node(int(part))
        else:
            return None
    return config


def _key(key: Any) -> str:
    """A key of a mapping; Hydra's grammar has no quotes for keys, so it cannot hold all that YAML can."""
    if isinstance(key, str) and not re.fullmatch(r"[A-Za-z0-9_/\-+.%*@?| ]+", key):
        raise ValueError(f"the key {key!r} cannot be set here: Hydra's keys are ASCII; write it in a file of conf/")
    return key if isinstance(key, str) else json.dumps(key)


def _has_meaning(word: str) -> bool:
    return word.lower() in ("null", "true", "false", "inf", "nan")
