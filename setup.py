"""Package metadata and dependencies."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    """Read the version without importing the package, which needs its dependencies."""
    return re.findall(r'__version__ = "(.+)"', (HERE / "flask_shim" / "_version.py").read_text(encoding="utf-8"))[0]


def long_description() -> str:
    """Return the README, if there is one."""
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.is_file() else ""


# Lower bounds are the oldest versions that work; a comment says what older ones lack. Upper bounds are for packages
# whose undocumented parts are used.
REQUIRED = [
    "flask>=3.0",
    "jinja2>=3.1.2",  # Flask requires it
    # Flask requires it; forms used up the memory before (CVE-2024-49767). app.py overrides a private method of 3.
    "werkzeug>=3.0.6,<4",
    # Private names of 3.0 are used in serving/_waitress; look-ahead raced before 3.0.1 (CVE-2024-49768).
    "waitress>=3.0.1,<3.1",
    "requests>=2.32.4,<3",  # leaked .netrc credentials before (CVE-2024-47081)
    "urllib3>=2.7,<2.9",  # limits decompression; private API in lmstudio/http/_urllib3.py
    "marshmallow>=4.0",
    "cachetools>=5.0",  # TTLCache with a TTL of 0 keeps nothing
    "python-dotenv>=1.0,<2",  # dotenv.parser is not documented
    "tomli>=2.0; python_version < '3.11'",  # part of the standard library from 3.11 on
    "orjson>=3.10",
    "click>=8.1.3",
    "rich>=13.0",
    "prometheus-client>=0.20",
    "platformdirs>=4.0",
    "apispec>=6.6",  # nullable references of OpenAPI 3.1
    "flask-swagger-ui>=5.21",  # Swagger UI for OpenAPI 3.1
    "jsonschema>=4.18",  # earlier ones request schemas from other servers
    "referencing>=0.28.4",  # jsonschema requires it
    "Pillow>=11.3",  # buffer overflow before (CVE-2025-48379)
    "brotli>=1.2",  # limits the output of one step
    "backports.zstd>=1.0; python_version < '3.14'",  # part of the standard library from 3.14 on
]

EMBEDDED = [
    "xllamacpp>=2026.10.11549",
]

CLIENTS = [
    # Without litellm, which requires openai < 3 and so conflicts with the current openai package.
    "ollama>=0.6",
    "openai>=2.0",
    "anthropic>=1.0",
    "langchain-ollama>=1.0",
    "llm>=0.27",
    "llm-ollama>=0.15",
    "llama-index-llms-ollama>=0.9",
]

TEST = [
    *EMBEDDED,
    "gguf>=0.17",  # writes the models that tests read
    "msgspec>=0.19",  # typed clients
    "pytest>=8.4",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "pytest-cov>=7.0",  # measures subprocesses with patch = subprocess
    "responses>=0.25",
    "hypothesis>=6.100",
    "schemathesis>=4.28",  # earlier ones do not work with current hypothesis
    "ollama>=0.6",
    "openai>=2.0",
    "openapi-spec-validator>=0.8",
    "websocket-client>=1.7",  # drives a browser
    "trustme>=1.1",  # certificates for reverse proxies
    "PyYAML>=6.0",
    "tree-sitter>=0.24",  # parses the PowerShell script, with the next
    "tree-sitter-powershell>=0.25",
    "build>=1.2",
    "setuptools>=77",  # builds the package offline
    "mypy>=1.15",
    "ruff>=0.12",
    "types-requests>=2.32",
    "types-cachetools>=6.0",
    "types-jsonschema>=4.18",
]

DOCS = [
    "mkdocs-material>=9.6",  # for the site that mkdocs.yml describes
]

setup(
    name="flask-shim",
    version=version(),
    description="An Ollama server whose models run in LM Studio",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    author="flask-shim contributors",
    keywords=["ollama", "lm-studio", "llm", "flask", "waitress", "proxy"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Framework :: Flask",
        "Intended Audience :: Developers",
        "Operating System :: Microsoft :: Windows",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Internet :: WWW/HTTP :: WSGI :: Server",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=["flask_shim", "flask_shim.*"]),
    package_data={
        "flask_shim": ["py.typed"],
        "flask_shim.dashboard": ["templates/*", "static/*"],
        "flask_shim.deploy": ["templates/*"],
        "flask_shim.embedded": ["models/*.gguf"],
        "flask_shim.openapi": ["page/*"],
    },
    install_requires=REQUIRED,
    extras_require={"embedded": EMBEDDED, "clients": CLIENTS, "docs": DOCS, "test": TEST},
    entry_points={"console_scripts": ["flask-shim = flask_shim.cli:main"]},
    zip_safe=False,
)
