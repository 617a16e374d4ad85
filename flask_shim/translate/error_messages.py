"""The text of an error in the words that the clients of each protocol recognize.

Agents compact a conversation only if they recognize a context overflow: Claude Code by Anthropic's sentence, Codex and
Cline by OpenAI's code, Continue by "maximum context length".
"""

from __future__ import annotations

from flask_shim.errors import ShimError
from flask_shim.lmstudio.errors import ContextOverflow


def ollama_message(error: ShimError) -> str:
    """Return the text for Ollama's protocol; an overflow has the sentence of Ollama's llm/llama_server.go."""
    if not isinstance(error, ContextOverflow):
        return message_with_param(error)
    text = (
        "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the "
        "context length in settings, or use a model with a longer context length"
    )
    if error.context_length is None:
        return f"{text} (maximum context length exceeded)"
    return f"{text} (maximum context length is {error.context_length} tokens, prompt has {error.prompt_tokens} tokens)"


def openai_message(error: ShimError) -> str:
    """Return the text for OpenAI's protocols, which name the parameter in a field of its own."""
    if not isinstance(error, ContextOverflow):
        return error.text
    if error.context_length is None:
        return "Your input exceeds this model's maximum context length. Please reduce the length of the messages."
    return (
        f"This model's maximum context length is {error.context_length} tokens. However, your messages resulted in "
        f"{error.prompt_tokens} tokens. Please reduce the length of the messages."
    )


def openai_code(error: ShimError) -> str | None:
    """Return OpenAI's code for an overflow, LM Studio's code for another error."""
    return "context_length_exceeded" if isinstance(error, ContextOverflow) else error.code


def openai_param(error: ShimError, prompt: str) -> str | None:
    """Return the parameter at fault: for an overflow ``prompt``, the name that the route has for the prompt."""
    return prompt if isinstance(error, ContextOverflow) else error.param


def anthropic_message(error: ShimError) -> str:
    """Return the text for Anthropic's protocol."""
    if not isinstance(error, ContextOverflow):
        return message_with_param(error)
    if error.context_length is None:
        return "prompt is too long"
    return f"prompt is too long: {error.prompt_tokens} tokens > {error.context_length} maximum"


def message_with_param(error: ShimError) -> str:
    """Return the text, after the parameter at fault unless the text names it."""
    return f"{error.param}: {error.text}" if error.param and error.param not in error.text else error.text
