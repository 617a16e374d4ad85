"""Configuration for what stands around the shim: front proxies, service managers, containers.

Imports nothing: the process of a Windows service must reach the service manager before it loads the rest.
"""
