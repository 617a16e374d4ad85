"""The private names of waitress that serving/_waitress relies on still exist."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import ChunkedReceiver
from waitress.server import BaseWSGIServer, MultiSocketServer
from waitress.task import ErrorTask, Task, ThreadedTaskDispatcher, WSGITask

CHANNEL = """readable handle_read handle_write handle_close write_soon service received send
    _flush_exception _flush_some check_client_disconnected will_close close_when_flushed total_outbufs_len
    parser_class task_class error_task_class logger"""
NAMES = {
    HTTPChannel: CHANNEL,
    HTTPRequestParser: "received parse_header completed empty error headers_finished header_plus "
    "expect_continue body_rcv",
    Task: "service finish write build_response_header set_close_on_finish has_body chunked_response close_on_finish",
    WSGITask: "execute get_environment",
    ErrorTask: "execute",
    ThreadedTaskDispatcher: "shutdown add_task",
    BaseWSGIServer: "channel_class accept handle_accept run close asyncore",
    MultiSocketServer: "run asyncore",
    wasyncore: "readwrite",
    wasyncore.dispatcher: "close accepting",
}
INSTANCES = {
    "connection": (lambda: wasyncore.dispatcher(map={}), "_fileno"),
    "parser": (lambda: HTTPRequestParser(Adjustments()), "headers version body_bytes_received adj"),
    "chunks": (lambda: ChunkedReceiver(SimpleNamespace()), "control_line trailer"),
}
MISSING = "waitress {version} has no {owner}: {names}. Adapt flask_shim/serving/_waitress and the bound in setup.py"


def check(names, owner, label):
    missing = [name for name in names.split() if not hasattr(owner, name)]
    assert not missing, MISSING.format(version=version("waitress"), owner=label, names=", ".join(missing))


@pytest.mark.parametrize("owner", NAMES, ids=lambda owner: owner.__name__)
def test_class_has_the_names_that_are_used(owner):
    check(NAMES[owner], owner, owner.__name__)


@pytest.mark.parametrize("kind", INSTANCES)
def test_object_has_the_names_that_are_used(kind):
    make, names = INSTANCES[kind]
    check(names, make(), kind)


def test_server_has_the_names_that_are_used():
    source = inspect.getsource(BaseWSGIServer.__init__)
    missing = [name for name in ("trigger", "task_dispatcher", "active_channels") if f"self.{name} = " not in source]
    assert not missing, MISSING.format(version=version("waitress"), owner="BaseWSGIServer", names=", ".join(missing))
