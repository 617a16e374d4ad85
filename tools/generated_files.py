"""Write docs/CONFIGURATION.md and the files of config/ from the settings and the templates of the package.

Run it from the top of the checkout.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

from flask_shim.config import GROUPS, Config, Setting
from flask_shim.config.reader import Unset
from flask_shim.config.shim_file import ShimFile
from flask_shim.config.toml_tables import keys_of, kinds_of
from flask_shim.deploy.rendering import SHIPPED_ROOT, TEMPLATES, render

_PAGE_HEAD = """\
# Settings

Every setting is an environment variable, or a line in `.env` in the folder where the shim is started (`SHIM_ENV_FILE`
names another file). The environment wins over the file. In PowerShell and in bash:

```powershell
$env:SHIM_PORT = "11435"; flask-shim
```

```bash
SHIM_PORT=11435 flask-shim
```

An empty value counts as not set, except for `SHIM_ALLOWED_ORIGINS`, where it means none. Seconds may also be durations,
such as `5m` or `1h30m`. The names under "or" are used if the first one is not set; the log at start says which.

If a setting, or a line of the file, is invalid, the shim reports all mistakes and exits with code 2.

A `.env` with `HOST`, `PORT`, `WORKERS`, `CORS_ORIGINS` or `OPENAI_…` but without a `SHIM_` line belongs to another
project: these names are ignored there, and the log at start says so. They apply in the environment, in a file that
`SHIM_ENV_FILE` or `--env-file` names, and beside any `SHIM_` line.

The file is UTF-8, or UTF-16 with a byte order mark, as Notepad and PowerShell 5 write it. Windows paths may be written
without quotes or in either kind of quotes; backslashes are kept.
"""

_EXAMPLE_HEAD = """\
# Settings of the shim. Copy this file to .env in the folder the shim is started from, or name it in SHIM_ENV_FILE.
# Every line shows the default; remove the # in front of a line to change it. The environment wins over this file.
"""

_FILE_HEAD = """\
## flask-shim.toml

[Profiles of models, rules for clients](PROFILES.md) and [several LM Studios](BACKENDS.md) are tables in a TOML file,
`flask-shim.toml`. `flask-shim config check` shows which file is used and what it says. Mistakes are reported together
with those of the settings, with their lines.
"""

_FILE_EXAMPLE_HEAD = """\
# Several LM Studios, model profiles, and rules for clients. Copy this file to flask-shim.toml in the folder the shim
# is started from, or name it in SHIM_CONFIG. Remove the # in front of the lines that you need, beginning with the
# header of their table.
"""


def render_page() -> str:
    """Return docs/CONFIGURATION.md."""
    sections = [_PAGE_HEAD]
    for name, group in GROUPS.items():
        sections.append(f"## {name}\n\n{_table('Setting', 'Default', map(_row, group))}")
    sections.append(_FILE_HEAD)
    for kind in kinds_of(ShimFile).values():
        rows = (f"| `{name}` | `{key.example}` | {key.help} |" for name, key in keys_of(kind.table).items())
        sections.append(f"### `{kind.header}`\n\n{kind.help}\n\n{_table('Key', 'Example', rows)}")
    return "\n".join(sections)


def _table(first: str, second: str, rows: Iterable[str]) -> str:
    return "\n".join([f"| {first} | {second} | Meaning |", "| --- | --- | --- |", *rows]) + "\n"


def _row(setting: Setting) -> str:
    also = f" (or {', '.join(f'`{name}`' for name in setting.fallbacks)})" if setting.fallbacks else ""
    default = setting.default.text if isinstance(setting.default, Unset) else f"`{setting.default}`"
    return f"| `{setting.env}`{also} | {default} | {setting.help} |"


def env_example() -> str:
    """Return config/shim.env.example."""
    lines = [_EXAMPLE_HEAD]
    for name, group in GROUPS.items():
        lines.append(f"# --- {name} ---\n")
        for setting in group:
            is_unset = isinstance(setting.default, Unset)
            unset = f" Default: {setting.default.text}." if is_unset else ""
            lines.append(_comment(f"{setting.help}{unset}"))
            lines.append(f"#{setting.env}={'' if is_unset else setting.default}\n")
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    plain = text.replace("`", "")
    return textwrap.fill(plain, width=110, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def file_example() -> str:
    """Return config/flask-shim.toml.example."""
    lines = [_FILE_EXAMPLE_HEAD]
    for kind in kinds_of(ShimFile).values():
        lines.append(f"{_comment(kind.help)}\n\n#{kind.header}\n")
        for name, key in keys_of(kind.table).items():
            lines.append(f"{_comment(key.help)}\n#{name} = {key.example}\n")
    return "\n".join(lines)


def shipped(name: str) -> str:
    """Return a file of ``config/``: for the default settings, in the usual place."""
    return render(name, Config(), SHIPPED_ROOT[TEMPLATES[name].is_windows])


def write(folder: Path) -> None:
    """Write all files below a folder that has ``docs`` and ``config``."""
    files = {
        "docs/CONFIGURATION.md": render_page(),
        "config/shim.env.example": env_example(),
        "config/flask-shim.toml.example": file_example(),
        **{f"config/{template.file}": shipped(name) for name, template in TEMPLATES.items()},
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path())
