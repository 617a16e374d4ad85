"""The chat templates: ChatML, tools announced and called the Hermes way."""

from __future__ import annotations

TEMPLATE_HEAD = r"""
{%- macro text_of(content) -%}
  {%- if content is string -%}{{- content -}}
  {%- elif content is not none and content is defined -%}
    {%- for part in content -%}{%- if part.text is defined -%}{{- part.text -}}{%- endif -%}{%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{%- set first = messages[0] if messages and messages[0].role in ['system', 'developer'] else none -%}
{%- if first is not none or tools -%}
{{- '<|im_start|>system\n' -}}
{%- if first is not none -%}{{- text_of(first.content) -}}{%- endif -%}
{%- if tools -%}
{%- if first is not none -%}{{- '\n' -}}{%- endif -%}
{{- '# Tools\n' -}}
{%- for tool in tools -%}{{- tool | tojson -}}{{- '\n' -}}{%- endfor -%}
{{- 'Call a tool like this:\n<tool_call>\n{"name": "NAME", "arguments": {}}\n</tool_call>' -}}
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- endif -%}
{%- for m in messages -%}
{%- if m.role in ['system', 'developer'] -%}
  {%- if not loop.first -%}{{- '<|im_start|>system\n' + text_of(m.content) + '<|im_end|>\n' -}}{%- endif -%}
{%- elif m.role == 'user' -%}
{{- '<|im_start|>user\n' + text_of(m.content) + '<|im_end|>\n' -}}
{%- elif m.role == 'tool' -%}
{{- '<|im_start|>tool\n<tool_response>\n' + text_of(m.content) + '\n</tool_response><|im_end|>\n' -}}
{%- elif m.role == 'assistant' -%}
{{- '<|im_start|>assistant\n' -}}
"""
TEMPLATE_REASONING = r"""
{%- if m.reasoning_content is defined and m.reasoning_content -%}
{{- '<think>\n' + m.reasoning_content + '\n</think>\n\n' -}}
{%- endif -%}
"""
TEMPLATE_TAIL = r"""
{{- text_of(m.content) -}}
{%- if m.tool_calls -%}
{%- for call in m.tool_calls -%}
{%- set f = call.function if call.function is defined else call -%}
{%- if (loop.first and m.content) or not loop.first -%}{{- '\n' -}}{%- endif -%}
{{- '<tool_call>\n{"name": "' + f.name + '", "arguments": ' -}}
{%- if f.arguments is string -%}{{- f.arguments -}}{%- else -%}{{- f.arguments | tojson -}}{%- endif -%}
{{- '}\n</tool_call>' -}}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n' -}}
"""
TEMPLATE_THINK_END = r"""
{%- if enable_thinking is defined and enable_thinking is false -%}
{{- '<think>\n\n</think>\n\n' -}}
{%- else -%}
{{- '<think>\n' -}}
{%- endif -%}
"""
TEMPLATE_END = "{%- endif -%}\n"


def _join(*parts: str) -> str:
    return "".join(p.strip("\n") + "\n" for p in parts).replace("-%}\n", "-%}").replace("-}}\n", "-}}")


CHAT_TEMPLATE = _join(TEMPLATE_HEAD, TEMPLATE_TAIL, TEMPLATE_END)
THINK_TEMPLATE = _join(TEMPLATE_HEAD, TEMPLATE_REASONING, TEMPLATE_TAIL, TEMPLATE_THINK_END, TEMPLATE_END)

# The options, each followed by its letter, then the state: the model copies what followed the state's last word before.
DECISION_TEMPLATE = r"""
{%- for n in [1, 2] %}{% for option in options %} {{ option.description if type == "score" else option.key }}
{{- "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[loop.index0] }}
{% endfor %}{% endfor %} {{ state if state is string else state | tojson }}
""".strip()
