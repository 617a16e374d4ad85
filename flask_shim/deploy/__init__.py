"""Configuration for what stands around the shim: front proxies, service managers, containers."""

from flask_shim.deploy.rendering import CLUSTERS, TEMPLATES, Template, render, save, stop_timeout, template_named

__all__ = ["CLUSTERS", "TEMPLATES", "Template", "render", "save", "stop_timeout", "template_named"]
