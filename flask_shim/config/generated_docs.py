"""The settings as people read them: docs/CONFIGURATION.md and the example file, from SETTINGS.

python -m flask_shim.config.generated_docs        writes them below the current folder
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from flask_shim.config.all_settings import SETTINGS, Setting

_PAGE_HEAD = """\
# Settings

Every setting is a variable of the environment, or a line in `.env` in the folder the shim is started from
(`SHIM_ENV_FILE` names another file); the environment wins over the file. An empty value counts as not set,
except for `SHIM_ALLOWED_ORIGINS`, where it means none. Seconds may also be written as durations, such as `5m` or
`1h30m`. The names under "or" count when the first one is not set; the log says at start which one was used. If
something is wrong, also a line of the file that can't be read, the shim says everything that is, and ends.
"""

_EXAMPLE_HEAD = """\
# Settings of the shim. Copy this file to .env in the folder the shim is started from, or name it in SHIM_ENV_FILE.
# Every line shows the default; take away the # in front of a line to change it. The environment wins over this file.
# Write Windows paths without quotes: inside double quotes \\t and \\n are a tab and a new line.
"""


def render_page() -> str:
    """Give docs/CONFIGURATION.md."""
    return "\n".join([_PAGE_HEAD, *(f"## {group}\n\n{table(group)}" for group in groups())])


def groups() -> tuple[str, ...]:
    """Give the headings, in the order of the table."""
    return tuple(dict.fromkeys(setting.group for setting in SETTINGS))


def table(group: str) -> str:
    """Give the Markdown table of one group."""
    rows = (_row(setting) for setting in SETTINGS if setting.group == group)
    return "\n".join(["| Setting | Default | Meaning |", "| --- | --- | --- |", *rows]) + "\n"


def _row(setting: Setting) -> str:
    also = f" (or {', '.join(f'`{name}`' for name in setting.fallbacks)})" if setting.fallbacks else ""
    default = f"`{setting.default}`" if setting.default else setting.unset
    return f"| `{setting.env}`{also} | {default} | {setting.help} |"


def env_example() -> str:
    """Give config/shim.env.example."""
    return "\n".join([_EXAMPLE_HEAD, *_example_lines()]) + "\n"


def _example_lines() -> Iterator[str]:
    for group, settings in groupby(SETTINGS, key=lambda setting: setting.group):
        yield f"# --- {group} ---\n"
        for setting in settings:
            unset = f" Default: {setting.unset}." if setting.unset else ""
            yield _comment(f"{setting.help}{unset}".replace("`", ""))
            yield f"#{setting.env}={setting.default}\n"


def _comment(text: str) -> str:
    return textwrap.fill(text, width=110, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def write(folder: Path) -> tuple[Path, ...]:
    """Write the files below that folder, and tell which."""
    files = {folder / "docs" / "CONFIGURATION.md": render_page(), folder / "config" / "shim.env.example": env_example()}
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="\n")
    return tuple(files)


if __name__ == "__main__":
    write(Path())
