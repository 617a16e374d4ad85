"""Configuration for Windows, checked against what is documented: there is no Windows here to try it on."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from generated_files import shipped

from flask_shim.config import Config
from flask_shim.deploy.rendering import render

BOOL = "true|false"
NUMBER = r"\d{1,10}"
WHOLE_MINUTES = r"(\d{1,2}\.)?[012]\d:[0-5]\d:00"
"""The schema of httpPlatform takes multiples of 60 seconds only."""
ANY = r"(?s).+"

IIS = {
    "configuration": {},
    "configuration/system.webServer": {},
    "rewrite": {},
    "rewrite/rules": {},
    "rewrite/rules/rule": {
        "name": ANY, "enabled": BOOL, "stopProcessing": BOOL, "patternSyntax": "ECMAScript|Wildcard|ExactMatch",
    },
    "rewrite/rules/rule/match": {"url": ANY, "ignoreCase": BOOL, "negate": BOOL},
    "rewrite/rules/rule/action": {
        "type": "Rewrite|Redirect|CustomResponse|AbortRequest|None", "url": ANY, "appendQueryString": BOOL,
        "logRewrittenUrl": BOOL,
    },
    "modules": {"runAllManagedModulesForAllRequests": BOOL},
    "modules/remove": {"name": ANY},
    "handlers": {"accessPolicy": ANY},
    "handlers/remove": {"name": ANY},
    "handlers/add": {
        "name": ANY, "path": ANY, "verb": ANY, "type": ANY, "modules": ANY, "scriptProcessor": ANY,
        "resourceType": "Directory|Either|File|Unspecified", "requireAccess": "Execute|None|Read|Script|Write",
        "allowPathInfo": BOOL, "preCondition": ANY, "responseBufferLimit": NUMBER,
    },
    "httpPlatform": {
        "processPath": ANY, "arguments": ANY, "startupTimeLimit": NUMBER, "startupRetryCount": NUMBER,
        "rapidFailsPerMinute": NUMBER, "requestTimeout": WHOLE_MINUTES, "stdoutLogEnabled": BOOL, "stdoutLogFile": ANY,
        "processesPerApplication": NUMBER, "forwardWindowsAuthToken": BOOL,
    },
    "httpPlatform/environmentVariables": {},
    "httpPlatform/environmentVariables/environmentVariable": {"name": ANY, "value": ANY},
    "urlCompression": {
        "doStaticCompression": BOOL, "doDynamicCompression": BOOL, "dynamicCompressionBeforeCache": BOOL,
    },
    "httpErrors": {"errorMode": "Custom|Detailed|DetailedLocalOnly", "existingResponse": "Auto|Replace|PassThrough"},
    "security": {},
    "security/requestFiltering": {
        "allowDoubleEscaping": BOOL, "allowHighBitCharacters": BOOL, "removeServerHeader": BOOL,
        "unescapeQueryString": BOOL,
    },
    "security/requestFiltering/requestLimits": {
        "maxAllowedContentLength": NUMBER, "maxUrl": NUMBER, "maxQueryString": NUMBER,
    },
}  # fmt: skip
"""Elements below system.webServer, their attributes, and what those may be."""

ARR_PROXY = {
    "enabled": BOOL, "preserveHostHeader": BOOL, "minResponseBuffer": NUMBER, "responseBufferLimit": NUMBER,
    "timeout": WHOLE_MINUTES,
}  # fmt: skip

TIME = r"\d+ (sec|secs|min|mins|hour|hours|day|days)"

WINSW = {
    "id": ANY, "name": ANY, "description": ANY, "executable": ANY, "arguments": ANY, "workingdirectory": ANY,
    "env": {"name": ANY, "value": ANY}, "startmode": "Boot|System|Automatic|Manual", "delayedAutoStart": BOOL,
    "stoptimeout": TIME, "onfailure": {"action": "restart|reboot|none", "delay": TIME}, "resetfailure": TIME,
    "serviceaccount": "", "serviceaccount/domain": ANY, "serviceaccount/user": ANY, "serviceaccount/username": ANY,
    "log": {"mode": "append|reset|none|roll|roll-by-size|roll-by-time"},
}  # fmt: skip
"""What WinSW 2 and 3 read: the attributes of an element, or its text."""

NSSM = {"AppDirectory", "AppEnvironmentExtra", "AppExit", "AppStopMethodConsole", "ObjectName"}

ROOTS = ["C:\\flask-shim", "D:\\O'Brien & Sons\\<shim>"]


def paths_of(element, above=()):
    """Yield every element with its path from the top."""
    path = (*above, element.tag)
    yield "/".join(path), element
    for child in element:
        yield from paths_of(child, path)


@pytest.mark.parametrize("name", ["iis", "iis-platform"])
def test_every_element_and_value_is_valid_in_iis(name):
    for path, element in paths_of(ET.fromstring(shipped(name).encode())):
        known = IIS[path.removeprefix("configuration/system.webServer/")]
        for attribute, value in element.attrib.items():
            assert re.fullmatch(known[attribute], value), f"{path} {attribute}"


@pytest.mark.parametrize("seconds", [0, 1, 100, 599, 3600, 86_399, 700_000])
def test_iis_waits_in_whole_minutes_and_not_less_than_the_shim(seconds):
    text = render("iis-platform", Config(first_byte_timeout=seconds, idle_timeout=seconds), ROOTS[0])
    found = ET.fromstring(text.encode()).find(".//httpPlatform").attrib["requestTimeout"]
    assert re.fullmatch(WHOLE_MINUTES, found)
    days, _, clock = found.rpartition(".")
    hours, minutes, _ = map(int, clock.split(":"))
    assert 0 < (seconds or 86_400) < ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 <= 2_592_000


def test_every_attribute_is_valid_for_arr():
    (command,) = re.findall(r"set config /section:system.webServer/proxy (.*) /commit:apphost", shipped("iis"))
    result = dict(re.findall(r'/(\w+):"([^"]*)"', command))
    assert all(re.fullmatch(ARR_PROXY[name], value.lower()) for name, value in result.items())
    assert {result["minResponseBuffer"], result["responseBufferLimit"]} == {"0"}
    assert result["preserveHostHeader"] == "True"


@pytest.mark.parametrize("name", ["iis", "iis-platform"])
def test_delete_is_left_to_the_shim(name):
    removed = {element.attrib["name"] for element in ET.fromstring(shipped(name).encode()).iter("remove")}
    assert removed == {"WebDAV", "WebDAVModule"}


def test_every_element_and_value_is_valid_in_winsw():
    for path, element in paths_of(ET.fromstring(shipped("winsw").encode())):
        known = WINSW[path.removeprefix("service/")] if path != "service" else {}
        if isinstance(known, str):
            assert re.fullmatch(known, (element.text or "").strip()), path
            known = {}
        assert all(re.fullmatch(known[name], value) for name, value in element.attrib.items()), path


def test_the_service_is_not_the_systems_whichever_winsw_reads_it():
    account = ET.fromstring(shipped("winsw").encode()).find("serviceaccount")
    two = f"{account.findtext('domain')}\\{account.findtext('user')}"
    assert two == account.findtext("username") == "NT AUTHORITY\\LocalService"


@pytest.fixture(scope="module")
def powershell():
    """Give a function that parses a script."""
    grammar = pytest.importorskip("tree_sitter_powershell")
    tree_sitter = pytest.importorskip("tree_sitter")
    return tree_sitter.Parser(tree_sitter.Language(grammar.language())).parse


def nodes_of(node):
    yield node
    for child in node.children:
        yield from nodes_of(child)


@pytest.mark.parametrize("root", ROOTS)
def test_the_script_is_powershell(powershell, root):
    tree = powershell(render("windows-service", Config(), root).encode())
    wrong = [node for node in nodes_of(tree.root_node) if node.type == "ERROR" or node.is_missing]
    assert [(node.start_point, node.text) for node in wrong] == []


def test_a_script_that_is_no_powershell_is_found_out(powershell):
    broken = shipped("windows-service").replace("switch ($Action) {", "switch ($Action {")
    assert powershell(broken.encode()).root_node.has_error


def test_every_action_of_the_script_has_its_function():
    script = shipped("windows-service")
    (actions,) = re.findall(r"\[ValidateSet\(([^)]*)\)\]\s+\[string\] \$Action", script)
    begun = dict(re.findall(r"^    '(\w+)' \{ ([A-Z]\w+-Shim) \}$", script, re.MULTILINE))
    assert sorted(begun) == sorted(re.findall(r"\w+", actions))
    assert set(begun.values()) <= set(re.findall(r"^function ([\w-]+)", script, re.MULTILINE))


def test_only_parameters_of_nssm_are_set():
    assert set(re.findall(r"@\('set', \$Name, '(\w+)'", shipped("windows-service"))) == NSSM


def test_a_quote_in_the_folder_stays_in_the_text():
    script = render("windows-service", Config(), "D:\\O'Brien")
    assert "$Root = 'D:\\O''Brien'\n" in script
