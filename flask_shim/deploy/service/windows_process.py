"""Run this process as a Windows service: its stop becomes a Ctrl-C, so that it drains in the same way.

Three functions of Windows are enough. pywin32's host copies itself and DLLs into a virtual environment and its base
installation, and "services and virtual envs are not compatible" there (pywin32#2157).
"""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Callable
from ctypes import wintypes

if sys.platform != "win32":
    raise ImportError("only Windows has these services")

OWN_PROCESS = 0x10
STOPPED, STOP_PENDING, RUNNING = 1, 3, 4
CONTROL_STOP, CONTROL_PRESHUTDOWN = 1, 15
ACCEPT_STOP, ACCEPT_PRESHUTDOWN = 1, 0x100
SERVICE_SPECIFIC_ERROR = 1066
CALL_NOT_IMPLEMENTED = 120
CONTROL_INTERROGATE = 4


class _Status(ctypes.Structure):
    _fields_ = [
        ("type", wintypes.DWORD),
        ("state", wintypes.DWORD),
        ("accepted", wintypes.DWORD),
        ("exit_code", wintypes.DWORD),
        ("specific_code", wintypes.DWORD),
        ("check_point", wintypes.DWORD),
        ("wait_hint", wintypes.DWORD),
    ]


class _TableEntry(ctypes.Structure):
    _fields_ = [("name", wintypes.LPWSTR), ("main", ctypes.c_void_p)]


_Main = ctypes.WINFUNCTYPE(None, wintypes.DWORD, ctypes.c_void_p)
_Handler = ctypes.WINFUNCTYPE(wintypes.DWORD, wintypes.DWORD, wintypes.DWORD, ctypes.c_void_p, ctypes.c_void_p)

_advapi32 = ctypes.WinDLL("advapi32", use_last_error=True)
_advapi32.RegisterServiceCtrlHandlerExW.restype = ctypes.c_void_p
_advapi32.SetServiceStatus.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Status)]


class WindowsService:
    """The connection of this process to the service manager."""

    def __init__(self, name: str, stop_seconds: int) -> None:
        """``stop_seconds`` is how long the service manager waits for a stop."""
        self._name = name
        self._stop_milliseconds = stop_seconds * 1000
        self._handle: int | None = None
        self._error = 0
        self._code = 0
        self._is_stopping = False
        self._connected = threading.Event()
        self._ended = threading.Event()
        # ctypes functions live as long as their Python object.
        self._main, self._handler = _Main(self._service_main), _Handler(self._control)

    def run(self, serve: Callable[[], int]) -> None:
        """Call ``serve`` in this thread, the main one, and report its exit code.

        An exception leaves the service unreported: its process then ends as crashed, and is started again.
        """
        dispatcher = threading.Thread(target=self._dispatch, name="shim-service", daemon=True)
        dispatcher.start()
        self._connected.wait()
        if self._error:
            raise ctypes.WinError(self._error)
        try:
            self._code = serve()
        except KeyboardInterrupt:  # stopped before it served
            self._code = 0
        self._ended.set()
        dispatcher.join()

    def _dispatch(self) -> None:
        """Serve the service manager's requests until the service is reported as stopped."""
        table = (_TableEntry * 2)(_TableEntry(self._name, ctypes.cast(self._main, ctypes.c_void_p)))
        if not _advapi32.StartServiceCtrlDispatcherW(table):
            self._error = ctypes.get_last_error()
            self._connected.set()

    def _service_main(self, _count: int, _arguments: int | None) -> None:
        self._handle = _advapi32.RegisterServiceCtrlHandlerExW(self._name, self._handler, None)
        self._report(RUNNING, accepted=ACCEPT_STOP | ACCEPT_PRESHUTDOWN)
        self._connected.set()
        self._ended.wait()
        self._report(STOPPED, exit_code=SERVICE_SPECIFIC_ERROR if self._code else 0, specific_code=self._code)

    def _control(self, control: int, _type: int, _data: int | None, _context: int | None) -> int:
        if control not in (CONTROL_STOP, CONTROL_PRESHUTDOWN):
            return 0 if control == CONTROL_INTERROGATE else CALL_NOT_IMPLEMENTED
        if not self._is_stopping:  # a second Ctrl-C would cut running answers
            self._is_stopping = True
            self._report(STOP_PENDING, wait_hint=self._stop_milliseconds)
            interrupt_main(signal.SIGINT)
        return 0

    def _report(self, state: int, **fields: int) -> None:
        _advapi32.SetServiceStatus(self._handle, ctypes.byref(_Status(type=OWN_PROCESS, state=state, **fields)))
