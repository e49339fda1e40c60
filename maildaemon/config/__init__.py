"""The configuration: one TOML file, checked whole, secrets only by reference."""
