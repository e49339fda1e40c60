"""The commands of the admin."""
