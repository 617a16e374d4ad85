"""The page on clients, the README and the doctor agree."""

from __future__ import annotations

import re

from support.pages import ROOT, rows, text_of

from flask_shim.doctor.clients import CLIENTS, Client

README = text_of(ROOT / "README.md")
PAGE = text_of(ROOT / "docs" / "CLIENTS.md")


def _row(name: str, client: Client) -> list[str]:
    key = {"": "cannot send one", None: "unknown"}.get(client.key, client.key)
    context = f"requests {client.context}" if client.requests_context else f"{client.context} or more"
    setup = client.setup_for("URL", "KEY")
    return [f"{client.title} (`{name}`)", setup, key, context if client.context else "as loaded"]


def test_the_page_lists_the_clients_of_the_doctor():
    assert rows(PAGE, "What each client needs") == [_row(name, client) for name, client in CLIENTS.items()]


def test_menu_paths_in_the_readme_are_the_doctors():
    paths = re.findall(r"\*([^*|]+(?: > [^*|]+)+)\*", README)
    known = {client.setup.removesuffix(": {url}") for client in CLIENTS.values()}
    assert len(paths) == 4
    assert set(paths) <= known
