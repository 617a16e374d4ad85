"""``flask-shim service-host``: the process of the Windows service.

Imports little: Windows ends a process that has not reached the service manager within 30 seconds.
"""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import click


@click.command(hidden=True)
@click.option("--stop-timeout", type=int, required=True, help="Seconds that a stop may take.")
@click.option("--log", type=click.Path(path_type=Path), required=True, help="File for an error before the log is open.")
def service_host(*, stop_timeout: int, log: Path) -> None:
    """Serve as the process of the Windows service."""
    from flask_shim.deploy.service.windows_process import WindowsService

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a stop during the start may take longer than Ctrl-C
    WindowsService("flask-shim", stop_timeout).run(lambda: _serve(log))


def _serve(log: Path) -> int:
    from flask_shim.cli.serve_command import serve

    try:
        serve.main(args=[], standalone_mode=False)
    except click.ClickException as exc:
        if not logging.getLogger().handlers:  # else the log has it already
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{exc.format_message()}\n")
        return exc.exit_code
    except click.Abort:  # click's exception for the Ctrl-C that a stop during the start becomes
        return 0
    return 0
