"""The shim as a service of the system: a systemd unit, a launchd agent, or a Windows service.

Imports nothing here: the process of a Windows service must reach the service manager before it loads the rest.
"""
