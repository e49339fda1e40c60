"""The roof over the running daemon: tasks, schedule, systemd."""
