"""What every room's tests share. The servers and the keys come from tests/servers.py, which runs earlier."""
