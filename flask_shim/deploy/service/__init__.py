"""The shim as a service of the system: a systemd unit, a launchd agent, or a Windows service."""
