"""The tables of ``flask-shim.toml``: LM Studios, model profiles, rules for clients, names of keys.

A new kind of table is a dataclass whose fields are keys, and a field of :class:`ShimFile`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from platformdirs import user_config_dir

from flask_shim.config.backend_table import BackendTable, repetitions
from flask_shim.config.parsers import is_file, user_folder
from flask_shim.config.sources import decode
from flask_shim.config.toml_document import TomlError, parse
from flask_shim.config.toml_tables import TableReader, keys_of, kinds_of, suggestion, tables, toml_key
from flask_shim.config.toml_values import duration, flag, integer, number, text, texts, think

FILE_NAME = "flask-shim.toml"


@dataclass(frozen=True, kw_only=True)
class NumberOptions:
    """The options of a request that are amounts, by Ollama's names."""

    temperature: float | None = toml_key(number(0, 2), "Randomness; 0 = none.", "0.7")
    top_p: float | None = toml_key(number(0, 1), "Share of probability to choose from.", "0.9")
    top_k: int | None = toml_key(integer(0), "Number of tokens to choose from.", "40")
    min_p: float | None = toml_key(number(0, 1), "Least probability, as a share of the highest one.", "0.05")
    repeat_penalty: float | None = toml_key(number(0, 10), "Penalty for repetitions; 1 = none.", "1.1")
    presence_penalty: float | None = toml_key(number(-2, 2), "Penalty for tokens that occurred.", "0.5")
    frequency_penalty: float | None = toml_key(number(-2, 2), "Penalty for tokens by how often they occurred.", "0.5")
    num_predict: int | None = toml_key(
        integer(-2), "Most tokens to generate; negative = no limit.", "2048", also_called=("max_tokens",)
    )


@dataclass(frozen=True, kw_only=True)
class Bounds(NumberOptions):
    """Bounds of a request's options."""

    num_ctx: int | None = toml_key(
        integer(1), "Context length in tokens.", "16384", also_called=("context", "context_length")
    )


@dataclass(frozen=True, kw_only=True)
class Options(Bounds):
    """Options of a request."""

    seed: int | None = toml_key(integer(0, 2**63 - 1), "Seed of the randomness.", "42")
    stop: tuple[str, ...] | None = toml_key(texts, "Texts that end the answer.", '["\\n\\n"]')


OPTION_NAMES = tuple(keys_of(Options))


def _option_names(value: Any) -> tuple[str, ...]:
    names = texts(value)
    for name in names:
        if name not in OPTION_NAMES:
            raise ValueError(f"No option {name!r}.{suggestion(name, OPTION_NAMES)}")
    return names


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """How a model is loaded, by LM Studio's names except for the first two."""

    context: int | None = toml_key(
        integer(1),
        "Context length in tokens to load the model with; it is loaded again if it has less.",
        "32768",
        also_called=("num_ctx", "context_length"),
    )
    keep_alive: float | None = toml_key(
        duration,
        'Idle time until the model is unloaded, such as `"30m"`; 0 = at once, negative = never.',
        '"1h"',
        also_called=("ttl",),
    )
    flash_attention: bool | None = toml_key(flag, "Whether to load with flash attention.", "true")
    offload_kv_cache_to_gpu: bool | None = toml_key(
        flag, "Whether the KV cache is in the memory of the GPU.", "false", also_called=("offload_kv_cache",)
    )
    eval_batch_size: int | None = toml_key(
        integer(1), "Tokens of a prompt to read in one step.", "512", also_called=("num_batch",)
    )
    num_experts: int | None = toml_key(integer(1), "Experts of a mixture-of-experts model that each token uses.", "8")
    parallel: int | None = toml_key(
        integer(1), "Requests that LM Studio answers at the same time; only compared with what it loads.", "4"
    )


@dataclass(frozen=True, kw_only=True)
class ModelProfile(NumberOptions, LoadOptions):
    """How models are loaded, and what their requests get where they set nothing. ``name`` may be a pattern."""

    think: bool | str | None = toml_key(
        think,
        'Whether the model thinks, or how much: `true`, `false`, `"low"`, `"medium"`, `"high"`, `"max"`.',
        "false",
        also_called=("reasoning", "reasoning_effort"),
    )
    system: str | None = toml_key(text, "System prompt.", '"Answer in English."', also_called=("system_prompt",))
    stop: tuple[str, ...] | None = toml_key(texts, "Texts that end the answer.", '["\\n\\n"]')
    name: str = ""
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class ClientRule:
    """Changes to requests; the first five keys are conditions, and all that are given must match."""

    client: tuple[str, ...] = toml_key(
        texts, "Names of client programs, as `flask-shim requests` shows them.", '"VS Code"', default=()
    )
    user_agent: tuple[str, ...] = toml_key(texts, "What the client sends as User-Agent.", '"*aiohttp/*"', default=())
    route: tuple[str, ...] = toml_key(texts, "Paths of requests.", '["/api/generate", "/v1/*"]', default=())
    model: tuple[str, ...] = toml_key(texts, "Names of models, the client's or LM Studio's.", '"qwen/*"', default=())
    key: tuple[str, ...] = toml_key(
        texts, 'Names of keys, each defined by a table `[key."…"]`.', '"editor"', default=()
    )
    drop: tuple[str, ...] = toml_key(_option_names, "Options to leave out.", '["num_ctx", "stop"]', default=())
    set: Options = toml_key(Options, "Options to set.", "{ temperature = 0.2 }", default=Options())
    min: Bounds = toml_key(Bounds, "Least values of options that are given.", "{ num_ctx = 8192 }", default=Bounds())
    max: Bounds = toml_key(Bounds, "Highest values of options that are given.", "{ num_ctx = 65536 }", default=Bounds())
    think: bool | str | None = toml_key(think, "Whether the model thinks, or how much.", "false")
    hide_thinking: bool | None = toml_key(flag, "Whether to leave the thinking out of the answer.", "true")
    keep_alive: float | None = toml_key(
        duration, "Idle time until the model is unloaded.", '"2h"', also_called=("ttl",)
    )
    replace_system: str | None = toml_key(text, "System prompt instead of the client's.", '"Be short."')
    prepend_system: str | None = toml_key(text, "Text before the client's system prompt.", '"Answer in English."')
    append_system: str | None = toml_key(text, "Text after the client's system prompt.", '"Use metric units."')
    line: int = 0


RULE_CONDITIONS = ("client", "user_agent", "route", "model", "key")
RULE_ACTIONS = tuple(name for name in keys_of(ClientRule) if name not in RULE_CONDITIONS)


@dataclass(frozen=True, kw_only=True)
class NamedKey:
    """A name for a key that clients send, so that rules can match by it."""

    value: str = toml_key(text, "The key, as clients send it.", '"…"', default="", is_secret=True, is_required=True)
    name: str = ""
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class ShimFile:
    """What a file says, in its order. Without a file there are no tables."""

    path: Path | None = None
    backends: tuple[BackendTable, ...] = tables(
        "backend",
        BackendTable,
        "One of several LM Studios that answer as one; without such tables, the settings say where LM Studio is. "
        "`NAME/model` is the name of a model on that machine only.",
    )
    models: tuple[ModelProfile, ...] = tables(
        "model",
        ModelProfile,
        "How a model is loaded, and what its requests get where they set nothing themselves. The name is that of the "
        "model or of an alias; `*` in it means any characters. Where several match, the later one wins.",
        example="qwen/qwen3-8b",
    )
    rules: tuple[ClientRule, ...] = tables(
        "rule",
        ClientRule,
        "Changes to the requests of certain clients. The first five keys are conditions, and all that are given must "
        "match; `*` means any characters. All rules that match apply, in the order of the file.",
    )
    keys: tuple[NamedKey, ...] = tables(
        "key",
        NamedKey,
        "A name for a key that clients send, so that rules can match by it. `SHIM_API_KEY` says which keys are valid.",
        example="editor",
    )

    def for_one_of(self, processes: int) -> ShimFile:
        """Return the tables for one of several processes, which share the streams of each backend."""
        shares = [
            replace(backend, max_streams=backend.max_streams and math.ceil(backend.max_streams / processes))
            for backend in self.backends
        ]
        return replace(self, backends=tuple(shares))


def default_path() -> Path | None:
    """Return the file in the current folder, else the one in the user's folder for configuration, if there is one."""
    folders = (Path(), user_folder(user_config_dir))
    return next((path for folder in folders if is_file(path := folder / FILE_NAME)), None)


def read(path: Path) -> tuple[ShimFile, list[str]]:
    """Return the tables of a file, and all that is wrong with it."""
    try:
        document = parse(decode(path.read_bytes()))
    except OSError as exc:
        return ShimFile(path=path), [f"{path}: Can't be read: {exc.strerror}."]
    except UnicodeDecodeError:
        return ShimFile(path=path), [f"{path}: Not UTF-8; save it with that encoding."]
    except TomlError as exc:
        return ShimFile(path=path), [f"{path}, line {exc.line}: {exc}"]
    reader = TableReader(document, str(path))
    file = ShimFile(path=path, **reader.read_all(kinds_of(ShimFile)))
    for index, rule in enumerate(file.rules):
        for problem in _problems_of(rule, document.values["rule"][index], {each.name for each in file.keys}):
            reader.report(("rule", index), problem)
    for index, problem in repetitions(file.backends):
        reader.report(("backend", index), problem)
    return file, reader.problems


def _problems_of(rule: ClientRule, given: Iterable[str], key_names: set[str]) -> Iterator[str]:
    if not any(name in RULE_ACTIONS for name in given):
        yield f"The rule changes nothing; give it one of {', '.join(RULE_ACTIONS)}."
    unknown = [name for name in rule.key if name not in key_names]
    for name in unknown:
        yield f'key: No table [key."{name}"].{suggestion(name, key_names)}'
    for name in keys_of(Bounds):
        low, high = getattr(rule.min, name), getattr(rule.max, name)
        if low is not None and high is not None and low > high:
            yield f"{name}: min is more than max."
