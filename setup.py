"""What the package is, what it needs, and what it brings along."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    """Read the version from its one place, without importing the package and so what it needs."""
    names: dict[str, str] = {}
    exec((HERE / "flask_shim" / "_version.py").read_text(encoding="utf-8"), names)  # noqa: S102 - our own file
    return names["__version__"]


def long_description() -> str:
    """Give the README, if there is one: building from a bare folder works, too."""
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.is_file() else ""


# Lower bounds are versions something here depends on, not the newest ones at the time.
REQUIRED = [
    "flask>=3.0",
    "jinja2>=3.1.2",  # Flask brings it along
    # Private names of 3.0 are used in serving/_waitress; look-ahead raced before 3.0.1 (CVE-2024-49768).
    "waitress>=3.0.1,<3.1",
    "requests>=2.32.4,<3",  # leaked .netrc logins before (CVE-2024-47081)
    "urllib3>=2.7,<2.9",  # limits on decompression; private API in lmstudio/http/_urllib3.py
    "marshmallow>=4.0",
    "cachetools>=5.0",  # a time to live of 0 keeps nothing
    "environs>=15.0",  # reads without touching os.environ
    "python-dotenv>=1.0",
    "orjson>=3.10",
    "msgspec>=0.19",
    "click>=8.1.3",
    "rich>=13.0",
    "prometheus-client>=0.20",
    "platformdirs>=4.0",
    "apispec>=6.6",  # nullable references of OpenAPI 3.1
    "flask-swagger-ui>=5.21",  # Swagger UI for OpenAPI 3.1
    "Pillow>=11.3",  # earlier ones overflow on crafted images (CVE-2025-48379)
]

EMBEDDED = [
    "xllamacpp>=2026.10.11549",
]

CLIENTS = [
    # litellm is left out: it wants openai < 3 and so can't share an environment with the openai package of today.
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
    "gguf>=0.17",  # writes the models that the tests read, and reads them a second way
    "pytest>=8.4",
    "pytest-timeout>=2.3",
    "pytest-cov>=7.0",  # earlier ones measure subprocesses in a way of their own
    "responses>=0.25",
    "hypothesis>=6.100",
    "schemathesis>=4.28",  # earlier ones use what hypothesis no longer has
    "ollama>=0.6",
    "openai>=2.0",
    "openapi-spec-validator>=0.8",
    "websocket-client>=1.7",  # steers the browser that looks at the documentation
    "trustme>=1.1",  # certificates for front proxies
    "PyYAML>=6.0",
    "tree-sitter>=0.24",  # with the next: whether the PowerShell is PowerShell
    "tree-sitter-powershell>=0.25",
    "build>=1.2",
    "setuptools>=77",  # builds the package without fetching anything
    "mypy>=1.15",
    "ruff>=0.12",
    "types-requests>=2.32",
    "types-cachetools>=6.0",
]

DOCS = [
    "mkdocs-material>=9.6",  # mkdocs.yml; the pages are plain Markdown and need it for nothing but a site
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
        "flask_shim.deploy": ["templates/*"],
        "flask_shim.embedded": ["models/*.gguf"],
        "flask_shim.openapi": ["page/*"],
    },
    install_requires=REQUIRED,
    extras_require={"embedded": EMBEDDED, "clients": CLIENTS, "docs": DOCS, "test": TEST},
    entry_points={"console_scripts": ["flask-shim = flask_shim.cli:main"]},
    zip_safe=False,
)
