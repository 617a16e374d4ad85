"""Descriptions of the fields of requests."""

from __future__ import annotations

WORDS = {
    "model": "The model's name, as `GET /api/tags` lists it; `:latest` may be left out.",
    "name": "The same as `model`, for older clients.",
    "messages": "The conversation so far. Empty: only load the model.",
    "role": "`system`, `user`, `assistant` or `tool`.",
    "content": "The text of the turn.",
    "thinking": "The model's thinking in this turn.",
    "images": "Pictures, each as base64.",
    "state": "What the questions are about: a text, or any JSON object or array.",
    "questions": "Up to 64 questions by their names, each with `type` (`noul`, `choice` or `score`), `instructions` "
    "and `criteria`.",
    "tool_calls": "What the model called in this turn.",
    "tool_name": "Which tool this is the result of.",
    "tool_call_id": "Which call this is the result of.",
    "tools": "Functions the model may call.",
    "stream": "Send the answer while it is generated.",
    "format": "`json` for any object, or a JSON schema the answer must fit.",
    "keep_alive": "How long the model stays loaded: seconds, or a duration such as `5m`; 0 unloads it at once, "
    "negative means without a limit.",
    "options": "Options of this one answer; those that LM Studio does not have have no effect.",
    "think": "Whether a model that can think does so, or the name of one of its levels (``thinking`` of /api/show).",
    "logprobs": "Return the log probability of each token.",
    "top_logprobs": "How many other tokens to return for each, at most 20.",
    "prompt": "The text to answer, or to continue.",
    "suffix": "The text after the gap that is to be filled.",
    "system": "The system prompt, in place of the model's own.",
    "template": "The prompt template, in place of the model's own.",
    "context": "What an earlier answer of this server returned as `context`.",
    "raw": "Send the prompt as it is, without a template.",
    "input": "One text, or a list of texts.",
    "truncate": "Truncate texts that are too long, instead of rejecting them.",
    "dimensions": "How many numbers of the vector to keep.",
    "source": "The name to copy.",
    "destination": "The new name.",
    "from": "The model, or the alias, to derive from.",
    "parameters": "Options for every request with this name.",
    "max_tokens": "Limit of the tokens of the answer.",
    "temperature": "How random the answer is; 0 is the least.",
    "model_key": "The model's key in LM Studio, or one of its names here.",
    "exclusive": "Unload everything else first.",
    "context_length": "Tokens of context to load the model with.",
    "unload_all": "Unload every model.",
}
"""By the name of the field in any schema."""

OWN_WORDS = {
    "Generate.system": "The system prompt of this one answer.",
    "Show.system": "A system prompt to show in the modelfile.",
    "Show.options": "Settings to show in the modelfile.",
    "Create.messages": "Turns that begin every conversation.",
    "Function.name": "What the model calls it by.",
    "ToolCallFunction.name": "The function that was called.",
    "Function.parameters": "A JSON schema of the arguments.",
    "ServiceChat.model_key": "The model; empty for the default one.",
    "ServiceChat.messages": "The conversation so far.",
    "ServiceMessage.role": "`system`, `user` or `assistant`.",
    "ServiceMessage.images": "Pictures, each with its type.",
}
"""Where a field has another meaning than in other schemas."""


def description_of(component: str, field: str) -> str:
    """Return the description of a field, empty if its name is enough."""
    return OWN_WORDS.get(f"{component}.{field}", WORDS.get(field, ""))
