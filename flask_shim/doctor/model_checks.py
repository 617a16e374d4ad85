"""Check the models as clients see them: capabilities and context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flask_shim.doctor.answer_rules import as_dict, as_list, rows_of
from flask_shim.doctor.findings import Finding, fail, note, ok, plural, warn

AGENT_TOKENS = 32_768
"""The instructions and tools of an agent alone take half of it."""

MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One entry of the lists. ``context`` and ``most_context`` are in tokens, 0 if unknown."""

    name: str
    capabilities: frozenset[str]
    context: int = 0
    is_loaded: bool = False
    most_context: int = 0

    @property
    def can_chat(self) -> bool:
        """Whether it answers chats."""
        return "completion" in self.capabilities


def read_model_lists(tags: Any, ps: Any, v0: Any = None) -> list[ListedModel]:
    """Read /api/tags, /api/ps and LM Studio's /api/v0/models; leave out what is not in the form of these lists."""
    loaded = {_text(row.get("name")): _count(row.get("context_length")) for row in rows_of(ps)}
    most = {_text(row.get("id")): _count(row.get("max_context_length")) for row in rows_of(v0, "data")}
    return [
        ListedModel(
            name=name,
            capabilities=frozenset(filter(_text, as_list(row.get("capabilities")))),
            context=loaded.get(name) or _count(as_dict(row.get("details")).get("context_length")),
            is_loaded=name in loaded,
            most_context=most.get(name.removesuffix(":latest")) or most.get(name.replace(":", "@", 1), 0),
        )
        for row in rows_of(tags)
        if (name := _text(row.get("name")))
    ]


def judge_models(models: Sequence[ListedModel]) -> Iterator[Finding]:
    """Judge the models independently of the client."""
    chatting = [model for model in models if model.can_chat]
    if not chatting:
        yield fail("no-chat-model", "no model can chat", "Download one in LM Studio (or: lms get).")
        return
    yield ok("models", f"{len(chatting)} of {plural(len(models), 'model')} can chat")
    loaded = [model for model in chatting if model.is_loaded]
    if not loaded:
        yield note("loaded", "no model is known to be loaded: the first request may wait until one is")
    for model in loaded:
        yield note("loaded", f"{model.name} is loaded with a context of {model.context or 'unknown'} tokens")


def judge_fitness(
    models: Sequence[ListedModel], *, context: int, needs_tools: bool, requests_context: bool = False
) -> Iterator[Finding]:
    """Judge whether the models suit a client with these needs; ``requests_context``: it sends ``num_ctx`` itself."""
    chatting = [model for model in models if model.can_chat]
    if needs_tools and chatting:
        yield _judge_tools(chatting)
    if context:
        yield from _judge_context(chatting, context, requests_context=requests_context)


def _judge_context(chatting: Sequence[ListedModel], wanted: int, *, requests_context: bool) -> Iterator[Finding]:
    small = [model for model in chatting if 0 < model.context < wanted]
    loaded = [model for model in small if model.is_loaded]
    shown = _names([f"{model.name} ({model.context})" for model in loaded])
    if loaded and requests_context:
        text = f"it requests {wanted} tokens of context, so these models are reloaded: {shown}"
        yield note("context", text, "LM Studio before 0.4 cannot do that: load them with more context there.")
    elif loaded:
        possible = max(min(wanted, model.most_context or wanted) for model in loaded)
        text = f"agents want {wanted} tokens of context, but loaded is {shown}"
        if possible == wanted:
            remedy = f"Set SHIM_DEFAULT_CONTEXT={wanted}, or load the model with that context in LM Studio."
            yield warn("context", text, remedy)
        else:
            remedy = f"These models hold at most {possible}: for long tasks, use a model with a longer context."
            yield note("context", text, remedy)
    elif chatting and len(small) == len(chatting):
        text = f"no model has the {wanted} tokens of context that agents want"
        yield note("context", text, "For long tasks, download a model with a longer context.")
    else:
        yield ok("context", f"no loaded model has less than the {wanted} tokens of context that are wanted")


def choose_chat_model(
    models: Sequence[ListedModel], wants_chat: bool | None, *, least: int, needs_tools: bool
) -> ListedModel | None:
    """Choose a loaded model; one with less than ``least`` tokens of context would be reloaded.

    ``wants_chat`` True also accepts a model that is not loaded, False no model.
    """
    if wants_chat is False:
        return None
    able = sorted(
        (model for model in models if model.can_chat),
        key=lambda model: needs_tools and "tools" not in model.capabilities,
    )
    ready = (model for model in able if model.is_loaded and model.context >= least)
    return next(ready, able[0] if able and wants_chat else None)


def _judge_tools(chatting: Sequence[ListedModel]) -> Finding:
    able = [model.name for model in chatting if "tools" in model.capabilities]
    rest = [model.name for model in chatting if "tools" not in model.capabilities]
    get = "Download a model that is trained for tool use."
    if not able:
        return fail("tools", "no model can call tools, which this client needs", get)
    if rest:
        return note("tools", f"{_names(rest)} cannot call tools; {_names(able)} can")
    return ok("tools", "all models can call tools")


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
