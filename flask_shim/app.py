"""The application factory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter, Rule

from flask_shim import error_responses, middleware, routes
from flask_shim.config import Config
from flask_shim.lmstudio import LMStudio
from flask_shim.observability import activity, metrics
from flask_shim.observability.access_log import recorder_of
from flask_shim.observability.inspector import Inspector
from flask_shim.observability.request_context import current
from flask_shim.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class MatchingRule(Rule):
    """A route that compiles its part of ``url_for`` on use: that took three quarters of the time of :func:`create_app`.

    The method is private in Werkzeug 3; without it, applications would only be built more slowly.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = super()._compile_builder
        return lambda rule, **values: compiled(append_unknown)(rule, **values)


class PathAdapter(MapAdapter):
    """Match a path without variables in one look-up; Werkzeug tries its parts one by one."""

    fixed: Mapping[tuple[str, str], Rule]
    """Rules by method and path."""

    def match(self, *args: Any, **options: Any) -> Any:
        """Return the rule and no variables; all other paths, and what Flask does not ask for, are left to Werkzeug."""
        rule = self.fixed.get((self.default_method, self.path_info)) if options == {"return_rule": True} else None
        return super().match(*args, **options) if rule is None else (rule, {})


class SyncFlask(Flask):
    """Flask without asynchronous views, for which it would inspect every function at every request."""

    url_rule_class = MatchingRule

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request; a constant answer needs no context of a request."""
        answer = self._constant_answers.get(environ["PATH_INFO"])
        if answer is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return super().wsgi_app(environ, start_response)
        current().route = environ["PATH_INFO"]
        headers, body = answer
        start_response("200 OK", headers)
        return [body] if environ["REQUEST_METHOD"] == "GET" else []

    @cached_property
    def _constant_answers(self) -> Mapping[str, tuple[list[tuple[str, str]], bytes]]:
        answers = routes.constant_answers(self)
        return {path: (answer.headers.to_wsgi_list(), answer.get_data()) for path, answer in answers.items()}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``func`` as it is."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what matches the path of a request, whose host is checked in :mod:`flask_shim.middleware.access`."""
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        host = environ.get("HTTP_HOST") or ""
        query = environ.get("QUERY_STRING") or ""
        adapter = PathAdapter(
            self.url_map, host, request.root_path, "", request.scheme, request.path, request.method, query
        )
        adapter.fixed = self._fixed_rules
        return adapter

    @cached_property
    def _fixed_rules(self) -> Mapping[tuple[str, str], Rule]:
        rules = reversed([*self.url_map.iter_rules()])  # the first one of a path counts
        special = ("arguments", "build_only", "redirect_to", "alias", "websocket")
        plain = (rule for rule in rules if not any(getattr(rule, name) for name in special))
        return {(method, rule.rule): rule for rule in plain for method in rule.methods or ()}


def create_app(config: Config | None = None, backend: LMStudio | None = None) -> Flask:
    """Build the WSGI application; without ``config`` the settings are read from the environment.

    Raises ConfigError with every mistake in the settings. Sends nothing and sets up no log; servers start with
    :mod:`flask_shim.wsgi`. Functions that are added with ``before_request`` do not see requests with a constant answer,
    as health checks have. ``flask_shim.services.services_of(app).close()`` ends its threads and its connections to
    LM Studio before the process ends.
    """
    config = Config.from_env() if config is None else config
    app = SyncFlask("flask_shim", static_folder=None)
    app.url_map.strict_slashes = False
    services = Services.build(config, backend)
    services.init_app(app)
    middleware.init_app(app, config)
    recorder_of(app).inspector = Inspector(config.inspect)
    activity.init_app(app, services.slots, config.backend_url if len(services.backends) == 1 else "")
    metrics.init_app(app, config, services.slots, services.backends.watchdog, services.backends.measure)
    if services.history is not None:
        recorder_of(app).observers.append(services.history.note)
    error_responses.init_app(app)
    routes.init_app(app)
    return app
